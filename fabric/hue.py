"""The hue of a JPEG's cloth, more exactly than its decoder tells it (`formats/jpeg_chroma.py`)."""

import cv2
import numpy as np

from fabric.formats import Container, read_container
from fabric.formats.jpeg_chroma import amplified
from fabric.frame import corners_seen
from fabric.ingest import MAX_ASPECT, MIN_SIDE, rows_down_to, upright
from fabric.jpeg_pixels import jpeg_pixels
from fabric.light import COARSE, srgb_to_linear
from fabric.profile import read_profile
from fabric.shrink import shrink

_FACTORS = 4, 2  # the larger tells more, but strong colours then exceed a byte
_REACH = 127 - 4  # steps from grey that a byte holds, less what a colour varies by
_SMALL = 8  # the fraction of the photo's size at which its colours are read
_ROWS, _APART = 48, 6  # every so many rows are looked at, and pixels so far apart, about a thread
_ROUNDED = 0.75  # steps: what rounding changes, in the file and in its decoder, is no more
_BLUR = 2.0  # σ in pixels of the coarse picture: all of one colour is rounded alike

# By how much of itself light rises for a step of the code; the darkest codes' steps are no change of hue.
_DARKEST = 1e-3
_LIGHT = np.maximum(srgb_to_linear(np.arange(256, dtype=np.uint8)), _DARKEST)
_RISE = (np.gradient(_LIGHT) / _LIGHT).astype(np.float32)

Array = np.ndarray


def exact_hue(photo: bytes, code: Array, to_photo: Array) -> Array | None:
    """What linear RGB of a cut-out is multiplied by to have the file's hue: (COARSE, COARSE, 3) float32.

    photo: the file. code: the cut-out as decoded, (N, N, 3) uint8 sRGB. to_photo: 3×3 from its pixels to
    fractions of the upright photo's width and height. Brightness stays. None where the file tells no more: no
    JPEG, one whose profile is no formula (`profile.py`), colours too strong, or so varied that rounding takes
    no side. Raises FabricError.
    """
    if _is_varied(code):
        return None
    container = read_container(photo)
    if container.format != "JPEG":
        return None
    profile = read_profile(container.profile) if container.profile else None
    if container.profile and profile is None:
        return None
    coarse = shrink(code, COARSE, COARSE)
    own = profile.codes_of(coarse) if profile else coarse.astype(np.float32)
    differences = _differences(own)
    middle = float(np.abs(np.median(differences, axis=(0, 1))).max())
    factor = next((number for number in _FACTORS if middle * number < _REACH), None)
    side = len(code)
    read = None if factor is None else _read(container, factor, corners_seen(to_photo, side))
    if factor is None or read is None:
        return None
    height, width = read.shape[:2]
    scale = side / COARSE
    to_code = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5], [0, 0, 1]])
    to_read = np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1]]) @ to_photo @ to_code
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    told = cv2.warpPerspective(
        read, to_read, (COARSE, COARSE), flags=flags, borderMode=cv2.BORDER_REFLECT_101
    )
    told = told.astype(np.float32) - 128
    held = (np.abs(told) < 126).all(axis=2, keepdims=True)
    if profile:  # what sRGB cannot show was cut off there, and is no rounding
        held &= ((coarse > 0) & (coarse < 255)).all(axis=2, keepdims=True)
    away = np.where(held, np.clip(told / factor - differences, -_ROUNDED, _ROUNDED), 0)
    blue, red = cv2.split(cv2.GaussianBlur(away.astype(np.float32), (0, 0), _BLUR))
    # ITU-T T.871, which JPEGs' colours follow.
    change = cv2.merge([1.402 * red, -0.344136 * blue - 0.714136 * red, 1.772 * blue])
    if profile is None:
        gain: Array = 1 + change * cv2.LUT(coarse, _RISE)
        return gain
    told_light: Array = 1 + profile.rises(own, change) / np.maximum(srgb_to_linear(coarse), _DARKEST)
    return told_light


def _is_varied(code: Array) -> bool:
    """Whether neighbouring places differ by a step: then some are rounded up, and as many down."""
    seen = _differences(code[::_ROWS].astype(np.float32))
    away = np.abs(seen[:, _APART:] - seen[:, :-_APART])
    return bool((np.median(away, axis=(0, 1)) > 1).all())


def _differences(code: Array) -> Array:
    """Blue and red difference of sRGB (H, W, 3) float32, 0 for grey: (H, W, 2)."""
    red, green, blue = cv2.split(code)
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    return cv2.merge([(blue - luminance) / 1.772, (red - luminance) / 1.402])


def _read(container: Container, factor: int, area: Array) -> Array | None:
    """`factor` times the differences about 128, at a fraction of the upright photo: (H, W, 2) uint8.

    area: points (N, 2) among which they are needed, in fractions of its width and height.
    """
    data = amplified(container.data, factor)
    if data is None:
        return None
    pixels = jpeg_pixels(data, _SMALL, rows_down_to(area, container.orientation))
    if pixels is None or min(pixels.shape[:2]) * _SMALL < MIN_SIDE:
        return None
    pixels = upright(pixels, container.orientation)
    if max(pixels.shape[:2]) > MAX_ASPECT * min(pixels.shape[:2]):
        return None
    return pixels[..., 1:]
