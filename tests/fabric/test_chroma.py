"""Noise of colour goes; colours that are meant stay."""

import cv2
import numpy as np
import pytest
from PIL import Image

from fabric import ScanOptions
from fabric.even import evened
from fabric.light import linear_to_srgb
from fabric.scanner import make_tile
from tests.fabric.photos import saved

SIDE = 400


def grey(linear: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(linear, cv2.COLOR_RGB2GRAY)


def noisy(deviation: float) -> np.ndarray:
    """Cloth of one colour, whose grain is in its brightness, with noise of colour about three pixels wide."""
    rng = np.random.default_rng(6)
    grain = np.exp(rng.normal(0, 0.1, (SIDE, SIDE, 1)))
    noise = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE, 3)), (0, 0), 1.5)
    noise *= deviation / noise.std()
    return (np.array([0.3, 0.2, 0.15]) * grain * (1 + noise)).astype(np.float32)


def hue(linear: np.ndarray) -> float:
    """Deviation of red by green."""
    return float(np.log(linear[..., 0] / linear[..., 1]).std())


def test_noise_of_colour_becomes_less_than_two_thirds_and_brightness_stays() -> None:
    tile = noisy(0.008)
    even = evened(tile)
    assert hue(even) < 0.65 * hue(tile)
    np.testing.assert_allclose(grey(even), grey(tile), atol=1e-3)


def test_a_grey_tile_stays_as_it_is() -> None:
    tile = noisy(0)[..., :1].repeat(3, axis=2)
    np.testing.assert_allclose(evened(tile), tile, atol=1e-5)


@pytest.mark.parametrize("width", [3, 6, 20])
def test_yarns_of_two_colours_keep_them(width: int) -> None:
    blue, white = np.array([0.05, 0.09, 0.25]), np.array([0.5, 0.5, 0.45])
    up = (np.arange(SIDE) // width % 2)[None, :, None]
    tile = np.where(up, blue, white).repeat(SIDE, axis=0).astype(np.float32)
    np.testing.assert_allclose(evened(tile), tile, atol=0.006)


def test_odd_sides() -> None:
    assert evened(noisy(0.02)[:131, :97]).shape == (131, 97, 3)


def test_a_scan_has_less_noise_of_colour_than_its_photo() -> None:
    photo = np.repeat(noisy(0.008), 2, axis=0).repeat(2, axis=1)
    tile = make_tile(saved(Image.fromarray(linear_to_srgb(photo))), ScanOptions(size=512))
    assert hue(tile.albedo) < 0.9 * hue(photo)
