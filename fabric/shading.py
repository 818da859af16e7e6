"""Relief from shading: which way the light came from, and the height that its shading shows.

To first order a distant light's shading is the slope towards it, so that the height follows from one division
in the frequency domain (Pentland, "Linear shape from shading", 1990). The light's direction is unknown. But
cloth has broad round tops and narrow creases: in the right direction, and only with the right sign, the
curvature is skewed towards creases. Where no direction shows that, the photo does not tell.
"""

from functools import lru_cache

import cv2
import numpy as np

from fabric import fourier

_SIDE = 512
_COARSE = 256  # pixels per side of the curvature
_DIRECTIONS = 12  # in 180°
_FINE, _WIDE = 0.5, 12.0  # σ in pixels: finer is noise, wider is light
_ACROSS = 0.15  # of the power, added where the light runs along the threads and shows no slope
_CREASES = 1.5  # σ at which the curvature is measured
_SILENT, _CLEAR = 0.15, 0.35  # skewness of the curvature: none, and full confidence
_PIGMENT = 0.2, 0.32  # deviation of the luminance's logarithm: shading alone, and too much for shading
_LIMIT = 3.0  # standard deviations; a highlight or a speck is no slope

Array = np.ndarray


def height_from_shading(luminance: Array) -> tuple[Array, float]:
    """Height (N, N) float32 in pixels, and the confidence in it, 0 to 1.

    luminance: the logarithm of the tile's brightness (N, N), wrapped. The slopes are those of a light at 45°
    that gives all of the brightness; of a real one they are about right.
    """
    side = min(_SIDE, len(luminance))
    small = cv2.resize(luminance, (side, side), interpolation=cv2.INTER_AREA)
    small = small - small.mean()
    limit = _LIMIT * float(small.std())
    spectrum = fourier.rfft2(np.clip(small, -limit, limit))
    relevant, at, curvatures = _filters(side)
    spectrum *= relevant
    low = spectrum[at]
    best_angle, best_skew = 0.0, 0.0
    for number, curvature in enumerate(curvatures):
        skew = _skewness(fourier.irfft2(low * curvature, (len(curvature), len(curvature))))
        if abs(skew) > abs(best_skew):
            best_angle, best_skew = number * np.pi / _DIRECTIONS, skew
    confidence = float(np.clip((abs(best_skew) - _SILENT) / (_CLEAR - _SILENT), 0, 1))
    shading, pigment = _PIGMENT
    confidence *= float(np.clip((pigment - limit / _LIMIT) / (pigment - shading), 0, 1))
    if confidence == 0:
        return np.zeros_like(luminance), 0.0
    best = spectrum * (_slope_to_height(*_frequencies(side), best_angle) * np.complex64(0.5j / np.pi))
    found = np.asarray(fourier.irfft2(best, (side, side)), np.float32) * np.sign(best_skew)
    scale = len(luminance) / side
    wide = cv2.copyMakeBorder(found, 2, 2, 2, 2, cv2.BORDER_WRAP)
    wide = cv2.resize(wide, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    margin = round(2 * scale)
    return wide[margin : margin + len(luminance), margin : margin + len(luminance)] * scale, confidence


def _frequencies(side: int) -> tuple[Array, Array]:
    """Cycles for each pixel across (1, side // 2 + 1) and down (side, 1), float32."""
    across, down = np.fft.rfftfreq(side)[None], np.fft.fftfreq(side)[:, None]
    return across.astype(np.float32), down.astype(np.float32)


@lru_cache(maxsize=2)
def _filters(side: int) -> tuple[Array, tuple[Array, ...], Array]:
    """What the spectrum of a picture is multiplied by, which is the same for all of one size.

    For what is neither noise nor light: (side, side // 2 + 1). Then where the frequencies of the curvature
    are, and (_DIRECTIONS, C, C // 2 + 1) for the curvature in light from each direction.
    """
    across, down = _frequencies(side)
    power = across**2 + down**2
    power[0, 0] = 1
    turn = np.float32(2 * np.pi)
    fine, wide, creases = (np.exp(-0.5 * (turn * sigma) ** 2 * power) for sigma in (_FINE, _WIDE, _CREASES))
    # Curvature at that blur has no higher frequencies than a smaller picture has.
    coarse = min(_COARSE, side)
    rows, columns = np.r_[: coarse // 2, side - coarse // 2 : side], np.arange(coarse // 2 + 1)
    at = np.ix_(rows, columns)
    curved = -1j * turn * power[at] * creases[at]
    angles = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    slopes = [_slope_to_height(across[:, columns], down[rows], float(angle)) for angle in angles]
    return fine * (1 - wide), at, np.array([curved * one for one in slopes], np.complex64)


def _slope_to_height(across: Array, down: Array, angle: float) -> Array:
    """What turns 1j times the spectrum of brightness in light from `angle` into 2π that of the height."""
    along = across * np.float32(np.cos(angle)) + down * np.float32(np.sin(angle))
    # Brightness is minus the slope towards the light.
    square = along * along
    found: Array = along / (square + np.float32(_ACROSS) * np.maximum(across**2 + down**2, np.float32(1e-12)))
    return found


def _skewness(values: Array) -> float:
    square = values * values
    return float((square * values).mean() / max(float(square.mean()) ** 1.5, 1e-20))
