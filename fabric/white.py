"""White balance by something neutral in the photo: a sheet of white paper, a grey card."""

import cv2
import numpy as np

from fabric.light import srgb_to_linear

WhitePoint = tuple[float, float, float]

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # IEC 61966-2-1
_MOST_COLOURED = 24.0  # chroma in CIELAB; lamps tint white paper, but what is more coloured is no paper
DARKEST = 35.0  # lightness; a grey card has 50
_CLIPPED = 253  # of 255; an overexposed card has lost its tint
_PAPER = 82.0  # lightness, which skin and metal do not reach
_SMOOTH = 12.0  # deviation of the brightness, of 255
_MIDDLE = 0.6  # of a card's sides: what is farther out may be its edge
_LEAST, _LARGEST_GAIN = 1.0, 4.0  # of a white point: of 255, and the correction that it may ask for


def card_colour(photo: np.ndarray, corners: np.ndarray) -> WhitePoint | None:
    """The colour of a card with these corners in a photo (H, W, 3) uint8, sRGB; None if it is not neutral."""
    return _neutral(_inner(photo, corners), DARKEST)


def is_neutral(photo: np.ndarray, corners: np.ndarray) -> bool:
    """Whether a card with these corners may be white, grey or black, also if it is overexposed."""
    inside = _inner(photo, corners)
    return bool(len(inside)) and _may_be_neutral(median_colour(inside), 0)


def _inner(photo: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The pixels (N, 3) of a card's middle."""
    centre = corners.mean(axis=0)
    inner = centre + _MIDDLE * (corners - centre)
    mask = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(inner).astype(np.int32), 1)
    return photo[mask == 1]


def paper_colour(photo: np.ndarray, cells: np.ndarray) -> WhitePoint | None:
    """The colour of white paper among the objects on the cloth; None if there is none.

    cells: (rows, columns) bool, where the photo (H, W, 3) uint8 shows objects. Skin is pinker or darker than
    paper under any lamp that people photograph cloth by.
    """
    inner = cv2.erode(cells.astype(np.uint8), np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(inner)
    size = photo.shape[1::-1]
    for number in range(1, count):
        mask = cv2.resize((labels == number).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        inside = photo[mask == 1]
        if len(inside) and float(inside.mean(axis=1).std()) < _SMOOTH and (found := _neutral(inside, _PAPER)):
            return found
    return None


def _neutral(pixels: np.ndarray, darkest: float) -> WhitePoint | None:
    """The median of pixels (N, 3), if white paper or a grey card may have it in a lamp's light."""
    if not len(pixels):
        return None
    colour = median_colour(pixels)
    return colour if _may_be_neutral(colour, darkest) and shows_tint(colour) else None


def median_colour(pixels: np.ndarray) -> WhitePoint:
    """Of pixels (N, 3)."""
    red, green, blue = (float(value) for value in np.median(pixels, axis=0))
    return red, green, blue


def lab_of(colour: WhitePoint) -> np.ndarray:
    """(3,) L, a and b of CIELAB."""
    lab: np.ndarray = cv2.cvtColor(np.array([[colour]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    return lab


def _may_be_neutral(colour: WhitePoint, darkest: float) -> bool:
    lightness, *tint = lab_of(colour)
    return bool(np.hypot(*tint) < _MOST_COLOURED and lightness >= darkest)


def shows_tint(colour: WhitePoint) -> bool:
    """Whether a card of this colour tells the light's tint, and white balance by it is possible."""
    return max(colour) <= _CLIPPED and is_white_point(colour)


def is_white_point(colour: WhitePoint) -> bool:
    """Whether white balance by this colour asks for a correction that a photo stands."""
    if min(colour) < _LEAST or max(colour) > 255:
        return False
    gains = _gains(colour)
    return bool(gains.max() <= _LARGEST_GAIN and gains.min() >= 1 / _LARGEST_GAIN)


def balanced(linear: np.ndarray, white: WhitePoint) -> np.ndarray:
    """Linear RGB (H, W, 3) as a light would show it in which `white` is neutral and as bright as it was."""
    result: np.ndarray = cv2.multiply(linear, (*_gains(white), 1.0))
    return result


def _gains(white: WhitePoint) -> np.ndarray:
    code = np.rint(np.array(white)).clip(0, 255).astype(np.uint8)
    light = srgb_to_linear(code[None, None])[0, 0].astype(np.float64)
    gains: np.ndarray = (light @ _LUMINANCE) / np.maximum(light, 1e-6)
    return gains
