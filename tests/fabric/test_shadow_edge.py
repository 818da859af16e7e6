"""A shadow's edge that was found on a coarse grid, measured in full detail."""

import numpy as np
import pytest

from fabric.shadow import Shadow
from fabric.shadow_edge import sharpened

SIDE = 700
DEPTH = np.array([0.8, 0.8, 0.78])


def shadow(degrees: float, offset: float, width: float) -> Shadow:
    angle = np.radians(degrees)
    return Shadow((float(np.cos(angle)), float(np.sin(angle))), offset, width, DEPTH)


def woven() -> np.ndarray:
    """Two yarns' pattern with noise, and a light that falls off slowly."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    log = 0.15 * np.sin(x / 1.7) * np.sin(y / 2.1) + 0.2 * x / SIDE - 1.2
    log += np.random.default_rng(1).normal(0, 0.05, log.shape)
    return np.exp(log)[..., None] * np.ones(3, np.float32)


@pytest.mark.parametrize("degrees", [-20, 0, 37, 82, 171])
@pytest.mark.parametrize("width", [0.002, 0.006])
def test_an_edge_is_found_where_it_lies(degrees: float, width: float) -> None:
    """A search in steps took the widest edge and the largest turn, which left thin lines on the tile."""
    truth = shadow(degrees, 0.07, width)
    cloth = (woven() / truth.gain(SIDE, SIDE)).astype(np.float32)
    found = sharpened(shadow(degrees + 0.4 * bool(degrees), 0.073, 0.007), cloth)
    turn = np.degrees(np.arctan2(found.normal[1], found.normal[0])) - degrees
    assert abs((turn + 180) % 360 - 180) < 0.02
    assert found.offset == pytest.approx(0.07, abs=0.0001)
    assert found.width == pytest.approx(width, rel=0.05)


def test_cloth_without_an_edge_leaves_the_shadow_where_it_was() -> None:
    guess = shadow(30, 0.05, 0.005)
    found = sharpened(guess, woven())
    assert abs(found.offset - guess.offset) < 0.02
    assert 0.0004 <= found.width <= 0.012


@pytest.mark.parametrize("offset", [0.69, 0.75, 3.0])
def test_an_edge_that_is_hardly_in_the_picture_stays(offset: float) -> None:
    guess = shadow(45, offset, 0.005)
    assert sharpened(guess, woven()) is guess
