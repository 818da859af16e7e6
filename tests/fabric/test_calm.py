"""What repeats with the tile must not catch the eye."""

import cv2
import numpy as np
import pytest

from fabric.calm import calmed

SIDE = 512


def cloth() -> np.ndarray:
    """Even cloth with a fine grain."""
    grain = np.random.default_rng(2).normal(0, 0.1, (SIDE, SIDE, 1))
    return (0.4 * np.exp(grain)).repeat(3, axis=2).astype(np.float32)


def stain(height: float) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.exp(height * np.exp(-(((x - 150) ** 2 + (y - 300) ** 2) / 40**2)))[..., None].astype(np.float32)


def coarse(tile: np.ndarray) -> np.ndarray:
    return np.log(cv2.resize(tile, (32, 32), interpolation=cv2.INTER_AREA).mean(axis=2))


def test_a_stain_becomes_faint_and_the_grain_stays() -> None:
    tile = cloth() * stain(0.15)
    even = calmed(tile, (None, None))
    assert np.ptp(coarse(tile)) > 0.14
    assert np.ptp(coarse(even)) < 0.07
    assert np.log(even).std() == pytest.approx(np.log(cloth()).std(), rel=0.03)
    assert even.mean() == pytest.approx(tile.mean(), rel=0.01)
    assert np.array_equal(calmed(tile, (None, None), 0), tile)


def test_what_hardly_stands_out_stays() -> None:
    tile = cloth() * stain(0.008)
    np.testing.assert_allclose(calmed(tile, (None, None)), tile, rtol=0.012)


def test_darker_yarns_become_faint_and_a_dyed_stripe_stays() -> None:
    """A satin's few dark yarns became stripes."""
    yarn, dyed = cloth(), cloth()
    yarn[:, 200:216] *= 0.9
    dyed *= np.where(np.arange(SIDE) // 32 % 2, 1.0, 0.7).astype(np.float32)[:, None]
    calm = calmed(yarn, (None, 30)).mean(axis=(0, 2))
    assert 1 - calm[200:216].mean() / calm.mean() < 0.055
    np.testing.assert_allclose(calmed(dyed, (8, None)), dyed, rtol=0.1)


def test_a_pattern_whose_repeat_the_photo_does_not_show_stays() -> None:
    tile = cloth() * stain(-1.2) * np.roll(stain(-1.2), (200, 180), (0, 1))
    np.testing.assert_allclose(calmed(tile, (None, None)), tile, rtol=0.02)


def test_borders_still_wrap() -> None:
    tile = np.roll(cloth() * stain(0.2), (-300, -150), (0, 1))
    moved = np.roll(calmed(np.roll(tile, (64, 128), (0, 1)), (None, None)), (-64, -128), (0, 1))
    np.testing.assert_allclose(moved, calmed(tile, (None, None)), rtol=0.01)
