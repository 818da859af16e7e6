"""The flash's highlight tells the roughness, and what is no highlight tells nothing."""

import numpy as np
import pytest

from fabric.flash_relief import View
from fabric.highlight import lobe_width, roughness_below

SIDE = 256
VIEW = View((140.0, 110.0), 330.0)
CLOTH = np.array([0.3, 0.2, 0.1], np.float32)


def flash_on(alpha: float, strength: float = 0.3, white: float = 1.0) -> np.ndarray:
    """(SIDE, SIDE, 3) light of a flash on cloth that mirrors `strength` of its own brightness at most."""
    x, y = np.moveaxis(VIEW.towards(SIDE), -1, 0)
    square = x * x + y * y
    lobe = ((1 + square) / (1 + square / alpha**2)) ** 2
    light: np.ndarray = (1 + square)[..., None] ** -2 * (CLOTH + 0.2 * strength * white * lobe[..., None])
    return light.astype(np.float32)


def room(seed: int = 1) -> np.ndarray:
    """The same cloth in a room whose light comes from the left."""
    x = np.linspace(1.1, 0.8, SIDE, dtype=np.float32)[None, :, None]
    noise = np.random.default_rng(seed).normal(0, 0.02, (SIDE, SIDE, 3)).astype(np.float32)
    return CLOTH * x * (1 + noise)


def as_file(light: np.ndarray) -> np.ndarray:
    return np.clip(light * 255, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("alpha", [0.08, 0.15, 0.3])
def test_the_lobe_is_as_wide_as_it_is(alpha: float) -> None:
    alone = flash_on(alpha)
    assert lobe_width(room(), alone, as_file(room() + alone), VIEW) == pytest.approx(alpha, rel=0.12)


@pytest.mark.parametrize(
    "alone",
    [
        pytest.param(flash_on(0.15, strength=0.0), id="chalk"),
        pytest.param(flash_on(0.8), id="too wide a lobe"),
        pytest.param(flash_on(0.15)[::-1, ::-1], id="a lamp's reflection, not below the lens"),
        pytest.param(flash_on(0.15, strength=-0.3), id="darker below the lens"),
        pytest.param(np.zeros((SIDE, SIDE, 3), np.float32), id="no flash"),
        pytest.param(np.full((SIDE, SIDE, 3), np.nan, np.float32), id="no numbers"),
    ],
)
def test_what_is_no_highlight_tells_nothing(alone: np.ndarray) -> None:
    assert lobe_width(room(), alone, as_file(room()), VIEW) is None


def test_a_full_sensor_tells_nothing() -> None:
    """Where white is cut off, a narrow highlight looks like a wide one."""
    alone = flash_on(0.15)
    flash = as_file(room() + alone)
    flash[: SIDE // 2] = 255
    assert lobe_width(room(), alone, flash, VIEW) is None


def test_relief_that_the_normals_show_is_not_counted_twice() -> None:
    flat = np.zeros((SIDE, SIDE), np.float32)
    assert roughness_below(0.25, flat) == pytest.approx(0.5)
    waves = np.sin(np.arange(SIDE, dtype=np.float32) * (2 * np.pi / 16))[None] * np.ones(
        (SIDE, 1), np.float32
    )
    assert 0.3 < roughness_below(0.25, 0.25 * waves) < 0.49
    assert roughness_below(0.25, 20 * waves) > 0.3
