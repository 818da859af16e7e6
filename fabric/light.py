"""Removes uneven light from the photo's albedo.

Retinex: slow variation is light, fast variation is the cloth (Land & McCann 1971; Jobson, Rahman & Woodell,
"Properties and Performance of a Center/Surround Retinex", 1997). In log space the light is modelled as a
quadratic surface, which follows vignettes and lamps up to the photo's border, plus a Gaussian blur of the
remainder, which follows shadows.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from fabric.dye import without_steps
from fabric.motif import Cycles, without_motif
from fabric.shadow import Shadow, stretched
from fabric.shadow_edge import sharpened
from fabric.shadow_fit import fit_shadow
from fabric.shrink import shrink

COARSE = 128  # pixels per side of the picture in which light is looked for
CLAHE_CLIP = 1.0
CLAHE_BLEND = 0.04  # 1.0 would double the local contrast and the colour error; see benchmarks/fabric

_STEPS = 16383
_PIECE = 1 << 14
_FLOOR = 1e-3
_WELL_LIT = 90  # percentile of the light at which the cloth has its own brightness
_HARD = 0.008  # width of a shadow's edge that is too narrow for the coarse light
_SOFT = 4.0  # pixels: a shadow whose edge is wider is the same at half the resolution
_OFTEN = 3.0  # times that a motif repeats: the slope of fewer over the picture could be the light's
_NEARLY = 0.05  # of the logarithm of the light: as well lit


def srgb_to_linear(image: np.ndarray) -> np.ndarray:
    """uint8 sRGB to linear light in float32, 0 to 1 (IEC 61966-2-1)."""
    return cv2.LUT(image, _LINEAR).reshape(image.shape)


def linear_to_srgb(image: np.ndarray) -> np.ndarray:
    """Linear light in float32 to uint8 sRGB (IEC 61966-2-1), through a table of `_STEPS` steps."""
    # OpenCV rounds and saturates when it converts. Above `_STEPS` the table holds white for every index.
    # One channel: a number for each of several takes twice as long.
    flat = image.reshape(len(image), -1)
    index = cv2.multiply(flat, float(_STEPS), dtype=cv2.CV_16U).ravel()
    code = np.empty(image.shape, np.uint8)
    # In pieces: NumPy uses eight bytes for each index, and those of a whole picture fit into no cache.
    for part in range(0, code.size, _PIECE):
        piece = slice(part, part + _PIECE)
        np.take(_GAMMA, index[piece], out=code.reshape(-1)[piece], mode="clip")
    return code


def _tables() -> tuple[np.ndarray, np.ndarray]:
    code = np.arange(256) / 255
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    light = np.minimum(np.arange(1 << 16) / _STEPS, 1)
    gamma = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return linear.astype(np.float32), np.round(gamma * 255).astype(np.uint8)


_LINEAR, _GAMMA = _tables()


@dataclass(frozen=True)
class Gain:
    """What even light multiplies a picture by.

    slow: (COARSE, COARSE, 3) for all but the shadow. shadow: a straight one, taken out by `strength`.
    """

    slow: np.ndarray
    shadow: Shadow | None
    strength: float

    def of(self, height: int, width: int) -> np.ndarray:
        """(height, width, 3) float32, without the shadow."""
        return cv2.resize(self.slow, (width, height), interpolation=cv2.INTER_LINEAR)

    def is_hard(self, longer: int) -> bool:
        """Whether the shadow's edge is too narrow for half of the resolution of a picture with that side."""
        return self.shadow is not None and self.shadow.width * longer < _SOFT


def flatten(linear: np.ndarray, sigma: float, strength: float = 1.0) -> Gain:
    """What takes the slow variation of brightness and colour out of `linear` (H, W, 3).

    sigma: of the blur, as a fraction of the shorter side; it must exceed half the period of a print, or the
        print itself is removed as light. strength: 0 changes nothing, 1 removes all of it.
    The geometric mean of each channel stays the same. A straight shadow is taken out as one (`shadow.py`): a
    blur would leave ripples along its edge.
    """
    light, cast, shadow, _ = _light(linear, sigma)
    return _gain(light - (light + cast).mean(axis=(0, 1)), shadow, strength)


def well_lit(
    linear: np.ndarray,
    sigma: float,
    strength: float = 1.0,
    cycles: Cycles = (None, None),
    likely: Shadow | None = None,
    hue: np.ndarray | None = None,
) -> Gain:
    """As `flatten`, but all of it becomes as bright as the well-lit part: no shadow makes the cloth darker.

    cycles: how often the cloth repeats across and down the picture, so that a print is not taken for light.
    likely: where a shadow was seen before. hue: (COARSE, COARSE, 3) that the picture is multiplied by before
        its light is looked for, and with it.
    """
    light, cast, shadow, lit = _light(linear, sigma, cycles, likely, hue)
    gain = _gain(light - (light + cast)[lit].mean(axis=0), shadow, strength)
    return gain if hue is None else replace(gain, slow=gain.slow * hue)


def _light(
    linear: np.ndarray,
    sigma: float,
    cycles: Cycles = (None, None),
    likely: Shadow | None = None,
    hue: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, Shadow | None, np.ndarray]:
    """The logarithm of the light without a shadow (COARSE, COARSE, 3), that of the shadow, and the shadow.

    Last, where the light is nearly as bright as it becomes.
    """
    coarse = cv2.resize(linear, (COARSE, COARSE), interpolation=cv2.INTER_AREA)
    if hue is not None:
        coarse = coarse * hue
    log = np.log(np.maximum(coarse, _FLOOR))
    shadow = fit_shadow(_without_motif(log, cycles), _SURFACES, likely)
    if shadow and shadow.width < _HARD:
        shadow = sharpened(shadow, linear)
    cast = shadow.darkness(COARSE, COARSE) if shadow else np.zeros((1, 1, 1), np.float32)
    even = _without_print(log - cast, cycles)
    broad = _quadratic(even)
    smooth = broad
    for _ in range(2):  # one blur underestimates the light's edges; twice is better (Tukey's "twicing", 1977)
        rest = even - smooth
        smooth = smooth + cv2.GaussianBlur(rest, (0, 0), sigma * COARSE, borderType=cv2.BORDER_REFLECT)
    # What is well lit follows from what is certainly light, and not from the cloth's own pattern.
    bright = (broad + cast).mean(axis=2)
    return smooth, cast, shadow, bright >= np.percentile(bright, _WELL_LIT) - _NEARLY


def _without_print(log: np.ndarray, cycles: Cycles) -> np.ndarray:
    if all(count and count >= _OFTEN for count in cycles):
        return _without_motif(log, cycles)  # known better by its repeat than by its steps
    return _without_motif(without_steps(log), cycles)


def _without_motif(log: np.ndarray, cycles: Cycles) -> np.ndarray:
    slow = _quadratic(log)  # which would look like a part of the print
    return slow + without_motif(log - slow, cycles)


def _gain(light: np.ndarray, shadow: Shadow | None, strength: float) -> Gain:
    return Gain(np.exp(-strength * light).astype(np.float32), shadow, strength)


def shadow_on_cloth(linear: np.ndarray) -> Shadow | None:
    """The straight shadow on a photo that mostly shows one cloth, linear RGB (H, W, 3)."""
    coarse = cv2.resize(linear, (COARSE, COARSE), interpolation=cv2.INTER_AREA)
    shadow = fit_shadow(np.log(np.maximum(coarse, _FLOOR)), _SURFACES)
    if shadow is None:
        return None
    return stretched(shadow, linear.shape[1] / linear.shape[0])


def contrast_gain(linear: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """What a little CLAHE (Zuiderveld 1994) multiplies (H, W, 3) by, (H, W); the hue stays."""
    luminance = cv2.cvtColor(linear, cv2.COLOR_RGB2GRAY)
    code = linear_to_srgb(luminance)
    enhanced = srgb_to_linear(cv2.createCLAHE(CLAHE_CLIP, (8, 8)).apply(code))
    blend = CLAHE_BLEND * strength
    gain = cv2.divide(enhanced, cv2.max(luminance, _FLOOR))
    np.clip(gain, 0.1, 3, out=gain)
    gain *= blend
    gain += 1 - blend
    # A change of the local mean would bring uneven light back: keep only the contrast.
    local = cv2.resize(gain, (16, 16), interpolation=cv2.INTER_AREA)
    return cv2.divide(gain, cv2.resize(local, gain.shape[::-1], interpolation=cv2.INTER_LINEAR))


def flatness(linear: np.ndarray) -> float:
    """Standard deviation divided by mean of the luminance on an 8×8 grid: 0 is perfectly even."""
    luminance = cv2.cvtColor(linear, cv2.COLOR_RGB2GRAY)
    grid = shrink(luminance, 8, 8)
    return float(grid.std() / max(grid.mean(), _FLOOR))


def _quadratic(log: np.ndarray) -> np.ndarray:
    """The least-squares surface of 1, x, y, x², xy, y² for each channel of (COARSE, COARSE, C)."""
    # einsum instead of @: BLAS would start threads, which spin for longer than this small product takes.
    weights = np.einsum("yxk,yxc->kc", _SURFACES, log)
    return np.einsum("yxk,kc->yxc", _SURFACES, weights)


def _surfaces() -> np.ndarray:
    """An orthonormal basis of the quadratic surfaces, (COARSE, COARSE, 6)."""
    y, x = np.mgrid[-1 : 1 : 1j * COARSE, -1 : 1 : 1j * COARSE]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    return np.linalg.qr(terms)[0].astype(np.float32).reshape(COARSE, COARSE, 6)


_SURFACES = _surfaces()
