"""Takes out of a tile what the eye would see repeat: a stain, a darker yarn.

One stain is nothing on a piece of cloth. On a tile that is laid a hundred times it is a grid, and a row of
darker yarns becomes stripes. What is coarser than the cloth's own pattern is made fainter, and more so the
more it stands out; what hardly stands out stays as it is.
"""

import cv2
import numpy as np

_COARSE = 128
_STAIN = 0.02  # σ of the side: finer is texture, of which no single spot catches the eye
_YARNS = 0.008  # the same for stripes, whose whole length the eye adds up
_FAINT = 0.02, 0.008  # of the logarithm of brightness: what a stain and a stripe may have at most
_MEANT = 0.07, 0.12  # their deviation from which on they are a pattern that is meant, and where surely
_MOTIF = 0.55  # of a repeat: a narrower blur would take the motif itself for a stain

Array = np.ndarray


def calmed(tile: Array, repeats: tuple[int | None, int | None], strength: float = 1.0) -> Array:
    """The tile (N, N, 3) float32 linear RGB, whose borders wrap; its mean brightness stays.

    repeats: how often the cloth's own pattern repeats across and down the tile, None where it does not.
    strength: 0 changes nothing.
    """
    # NumPy's maximum: a number is only the first channel's for OpenCV's.
    log = cv2.log(np.maximum(cv2.resize(tile, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA), 1e-3))
    log -= log.mean(axis=(0, 1))
    across, down = (max(_STAIN, _MOTIF / count) if count else _STAIN for count in repeats)
    stain = _blurred(log, across, down)
    gain = _fainter(stain, _FAINT[0])
    for axis, count in enumerate(repeats):
        stripes = (log - stain).mean(axis=axis, keepdims=True)
        own = _periodic(stripes, count, 1 - axis)
        if own.std() > _MEANT[0]:  # less is the yarn's own, seen twice by chance
            stripes = stripes - own
        whole = _blurred(np.repeat(stripes, _COARSE, axis), *((_YARNS, 0) if axis == 0 else (0, _YARNS)))
        gain += _fainter(whole, _FAINT[1])
    gain = cv2.exp(gain * np.float32(strength))
    gain /= gain.mean(axis=(0, 1)).mean()
    scale = len(tile) / _COARSE
    wide = cv2.copyMakeBorder(gain, 4, 4, 4, 4, cv2.BORDER_WRAP)
    wide = cv2.resize(wide, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    begin = round(4 * scale)
    even: Array = cv2.multiply(tile, wide[begin : begin + len(tile), begin : begin + len(tile)])
    return even


def _fainter(away: Array, most: float) -> Array:
    """What is added to `away` (N, N, 3) so that it stays below `most`; nothing to a pattern that is meant.

    One factor for all colours: where brightness or tint stand out, both become fainter.
    """
    low, high = _MEANT
    stray = 1 - np.clip((float(cv2.meanStdDev(away)[1].max()) - low) / (high - low), 0, 1)
    red, green, blue = cv2.split(np.abs(away))
    ratio = np.maximum(cv2.max(cv2.max(red, green), blue) * np.float32(1 / most), np.float32(1e-6))
    found: Array = cv2.multiply(away, cv2.merge([(np.tanh(ratio) / ratio - 1) * np.float32(stray)] * 3))
    return found


def _periodic(stripes: Array, count: int | None, axis: int) -> Array:
    """The part of `stripes` that repeats `count` times along `axis`."""
    if not count:
        return np.zeros_like(stripes)
    length = stripes.shape[axis]
    shifts = np.array([round(number * length / count) for number in range(count)])
    there = (np.arange(length) - shifts[:, None]) % length  # (count, length)
    own: Array = stripes.reshape(length, -1)[there].mean(axis=0).reshape(stripes.shape)
    return own


def _blurred(image: Array, across: float, down: float) -> Array:
    """Blurred with a Gaussian whose σ are fractions of the side, with wrapped borders."""
    x, y = max(across * _COARSE, 0.01), max(down * _COARSE, 0.01)
    margin = min(_COARSE, int(3 * max(x, y)) + 2)
    wide = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_WRAP)
    found: Array = cv2.GaussianBlur(wide, (0, 0), sigmaX=x, sigmaY=y)[margin:-margin, margin:-margin]
    return found
