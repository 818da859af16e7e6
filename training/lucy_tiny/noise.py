"""Smooth random fields, cut from a bank of periodic tiles: drawing them anew would take most of a scene's
time."""

from functools import lru_cache

import cv2
import numpy as np

_TILE = 1024


@lru_cache
def _tile(scale: int) -> np.ndarray:
    """A periodic field of unit variance whose features are about `scale` pixels across."""
    rng = np.random.default_rng(scale)
    white = rng.standard_normal((_TILE, _TILE)).astype(np.float32)
    frequency = np.fft.fftfreq(_TILE)[:, None] ** 2 + np.fft.rfftfreq(_TILE)[None] ** 2
    smooth = np.fft.irfft2(np.fft.rfft2(white) * np.exp(-2 * (np.pi * scale / 2.5) ** 2 * frequency))
    return (smooth / smooth.std()).astype(np.float32)


def smooth_noise(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> np.ndarray:
    """(h, w) of zero mean and unit variance, with features about `scale` pixels across.

    Sizes above the bank's tile are stretched.
    """
    stored = max(2, min(64, 2 ** round(np.log2(max(scale, 2)))))
    height = max(2, round(shape[0] * stored / scale))
    width = max(2, round(shape[1] * stored / scale))
    rows, columns = rng.integers(_TILE, size=2)
    tile = _tile(stored)
    cut = tile.take(range(rows, rows + height), axis=0, mode="wrap")
    cut = cut.take(range(columns, columns + width), axis=1, mode="wrap")
    return cut if cut.shape == tuple(shape) else cv2.resize(cut, shape[1::-1], interpolation=cv2.INTER_LINEAR)
