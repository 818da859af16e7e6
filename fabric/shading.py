"""Relief from shading: which way the light came from, and the height that its shading shows.

To first order a distant light's shading is the slope towards it, so that the height follows from one division
in the frequency domain (Pentland, "Linear shape from shading", 1990). The light's direction is unknown. But
cloth has broad round tops and narrow creases: in the right direction, and only with the right sign, the
curvature is skewed towards creases. Where no direction shows that, the photo does not tell.
"""

import cv2
import numpy as np
from scipy import fft

_SIDE = 512
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
    spectrum = fft.rfft2(np.clip(small, -limit, limit))
    down = fft.fftfreq(side).astype(np.float32)[:, None]
    across = fft.rfftfreq(side).astype(np.float32)[None]
    power = across**2 + down**2
    power[0, 0] = 1
    turn = 2 * np.pi
    spectrum *= np.exp(-0.5 * (turn * _FINE) ** 2 * power) * (1 - np.exp(-0.5 * (turn * _WIDE) ** 2 * power))
    curved = -(turn**2) * power * np.exp(-0.5 * (turn * _CREASES) ** 2 * power)
    best, best_skew = spectrum, 0.0
    for number in range(_DIRECTIONS):
        angle = number * np.pi / _DIRECTIONS
        along = across * np.float32(np.cos(angle)) + down * np.float32(np.sin(angle))
        # Brightness is minus the slope towards the light.
        height = spectrum * (1j * along) / (turn * (along**2 + _ACROSS * power))
        skew = _skewness(fft.irfft2(height * curved, s=(side, side)))
        if abs(skew) > abs(best_skew):
            best, best_skew = height, skew
    confidence = float(np.clip((abs(best_skew) - _SILENT) / (_CLEAR - _SILENT), 0, 1))
    shading, pigment = _PIGMENT
    confidence *= float(np.clip((pigment - limit / _LIMIT) / (pigment - shading), 0, 1))
    found = np.asarray(fft.irfft2(best, s=(side, side)), np.float32) * np.sign(best_skew)
    scale = len(luminance) / side
    wide = cv2.copyMakeBorder(found, 2, 2, 2, 2, cv2.BORDER_WRAP)
    wide = cv2.resize(wide, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    margin = round(2 * scale)
    return wide[margin : margin + len(luminance), margin : margin + len(luminance)] * scale, confidence


def _skewness(values: Array) -> float:
    square = values * values
    return float((square * values).mean() / max(float(square.mean()) ** 1.5, 1e-20))
