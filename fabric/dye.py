"""Takes the steps between a print's colours out of the logarithm of a photo, so that light is left.

Light varies slowly, and hardly in hue; a print's areas end in steps (Land & McCann, "Lightness and Retinex
Theory", 1971). The slopes at such steps are replaced by those around them, and the picture is put together
again from its slopes (Horn, "Determining lightness from an image", 1974).
"""

import cv2
import numpy as np

_HUE = 0.05  # of the logarithm of red or blue by green, from pixel to pixel; tinted light has less
_HUE_SHARE = 0.25  # of the step in brightness; a shadow has less
_YARNS = 1.2  # σ in pixels
_BRIGHT = 0.25  # of the logarithm of brightness: no soft shadow has such a step
_FEW = 0.05  # of the pixels: fewer steps are no print
_LEAST = 0.12  # of the pixels beside steps: with fewer it is a coarse texture, of which a blur takes the mean
_SHARP = 4.0  # times as steep as what is beside them are a print's steps
_AROUND = 6.0  # σ in pixels

Array = np.ndarray


def without_steps(log: Array) -> Array:
    """`log` (N, N, 3), logarithms of linear RGB, without the steps of a print; its mean stays.

    Where there is a print, details as fine as a pixel go with them; else it is returned as it is.
    """
    smooth = cv2.GaussianBlur(log, (0, 0), _YARNS)
    slopes = np.stack([np.diff(smooth, axis=axis, append=np.take(smooth, [-1], axis)) for axis in (1, 0)])
    hue = np.abs(slopes[..., ::2] - slopes[..., 1:2]).max(axis=-1)
    bright = np.abs(slopes[..., 1])
    steps = ((hue > np.maximum(_HUE, _HUE_SHARE * bright)) | (bright > _BRIGHT)).astype(np.uint8)
    beside = np.stack([cv2.dilate(one, np.ones((3, 3), np.uint8)) == 0 for one in steps])
    shares = beside.mean(axis=(1, 2))
    if not _LEAST < shares.min() < 1 - _FEW:
        return log
    if np.abs(slopes[~beside]).mean(axis=0).max() < _SHARP * slopes[beside].std():
        return log  # pile, leather, sequins: all of it is steps, more or less
    filled = [_filled(slope, known) for slope, known in zip(slopes, beside.astype(np.float32), strict=True)]
    light: Array = _integrated(*filled) + log.mean(axis=(0, 1))
    return light


def _filled(slope: Array, weight: Array) -> Array:
    """`slope` (N, N, 3), where `weight` is 0 the mean of what is around."""
    known = cv2.GaussianBlur(slope * weight[..., None], (0, 0), _AROUND)
    share = cv2.GaussianBlur(weight, (0, 0), _AROUND)
    return np.where(weight[..., None] > 0, slope, known / np.maximum(share, 1e-3)[..., None])


def _integrated(across: Array, down: Array) -> Array:
    """The picture (N, N, 3) of mean 0 whose slopes to the next pixel are nearest to these, by cosines."""
    side = len(across)
    across, down = across.copy(), down.copy()
    across[:, -1], down[-1] = 0, 0
    bend = across - np.roll(across, 1, 1) + down - np.roll(down, 1, 0)
    curve = 2 * np.cos(np.pi * np.arange(side, dtype=np.float32) / side) - 2
    power = curve[:, None] + curve
    power[0, 0] = 1
    bands = []
    for band in cv2.split(bend.astype(np.float32)):
        spectrum = cv2.dct(band) / power
        spectrum[0, 0] = 0
        bands.append(cv2.idct(spectrum))
    return cv2.merge(bands)
