"""White balance by a card that is one of several things on the cloth, or a small one.

Many things are grey, and a wrong white point is worse than none: a card is smooth, has four straight sides
and the tint of a lamp, and is no shadow on the cloth.
"""

import cv2
import numpy as np

from fabric.light import srgb_to_linear
from fabric.white import DARKEST, WhitePoint, lab_of, median_colour, shows_tint

_GREEN_TO_RED = 6.0  # of CIELAB: lamps and daylight tint along the other axis; skin has 10 and more
_BLUE_TO_YELLOW = (-8.0, 22.0)
_SMOOTH = 6.0  # deviation of the brightness, of 255, without outliers
_SAME = 14  # of 255, between places of one card
_FILLED = 0.93  # of the quadrilateral around it
_LONGEST = 3.0  # its length by its width; a ruler is no card
_PLAINER = 0.5  # of the cloth's fine detail
_TINT = 0.08  # difference from the cloth's, if both are as smooth: a shadow has the cloth's
_MARGIN = 2  # cells around an object, in which its edge lies


def neutral_card_colour(photo: np.ndarray, cells: np.ndarray) -> WhitePoint | None:
    """The colour of the one grey or white card in a photo (H, W, 3) uint8, sRGB.

    None if there is none, or more than one. cells: (rows, columns) bool, where the photo shows objects.
    """
    rows, columns = cells.shape
    scale = photo.shape[0] / rows, photo.shape[1] / columns
    inner = cv2.erode(cells.astype(np.uint8), np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inner)
    found = []
    for number in range(1, count):
        left, top, width, height = (int(value) for value in stats[number, :4])
        top, bottom = max(0, top - 1 - _MARGIN), top + height + 1 + _MARGIN
        left, right = max(0, left - 1 - _MARGIN), left + width + 1 + _MARGIN
        crop = photo[
            int(top * scale[0]) : int(bottom * scale[0]), int(left * scale[1]) : int(right * scale[1])
        ]
        part = (labels[top:bottom, left:right] == number).astype(np.uint8)
        mask = cv2.resize(part, crop.shape[1::-1], interpolation=cv2.INTER_NEAREST) == 1
        colour = _neutral(crop[mask])
        if colour and _is_rectangle(crop, mask, colour):
            found.append((colour, crop, mask))
    if len(found) != 1:
        return None
    colour, crop, mask = found[0]
    objects = cv2.dilate(cells.astype(np.uint8), np.ones((3, 3), np.uint8))
    cloth = cv2.resize(objects, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST) == 0
    if not cloth.any():
        return None
    plain = _detail(crop, mask) < _PLAINER * _detail(photo, cloth)
    return colour if plain or _tints_differ(colour, np.median(photo[cloth], axis=0)) else None


def _neutral(pixels: np.ndarray) -> WhitePoint | None:
    """The median of pixels (N, 3), if they are smooth, and grey or white in a lamp's light."""
    if not len(pixels):
        return None
    low, high = np.percentile(pixels.mean(axis=1), (25, 75))  # a bright card's cells reach over its edge
    if high - low > 1.35 * _SMOOTH:
        return None
    colour = median_colour(pixels)
    lightness, a, b = lab_of(colour)
    neutral = abs(a) < _GREEN_TO_RED and _BLUE_TO_YELLOW[0] < b < _BLUE_TO_YELLOW[1]
    return colour if neutral and lightness > DARKEST and shows_tint(colour) else None


def _is_rectangle(crop: np.ndarray, mask: np.ndarray, colour: WhitePoint) -> bool:
    """Whether what has the colour is a quadrilateral that lies within the crop (H, W, 3)."""
    away = np.abs(cv2.GaussianBlur(crop, (0, 0), 2).astype(np.float32) - np.array(colour, np.float32))
    near = (away.max(axis=2) < _SAME).astype(np.uint8)
    near = cv2.morphologyEx(near, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, labels = cv2.connectedComponents(near)
    label = int(np.median(labels[mask]))
    if label == 0:
        return False
    contours, _ = cv2.findContours(
        (labels == label).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    contour = max(contours, key=cv2.contourArea)
    left, top, width, height = cv2.boundingRect(contour)
    if left == 0 or top == 0 or left + width == crop.shape[1] or top + height == crop.shape[0]:
        return False
    hull = cv2.convexHull(contour)
    corners = cv2.approxPolyDP(hull, 0.04 * cv2.arcLength(hull, True), True)
    sides = cv2.minAreaRect(contour)[1]
    if len(corners) != 4 or max(sides) > _LONGEST * min(sides):
        return False
    filled = cv2.contourArea(contour) / max(cv2.contourArea(corners), 1)
    return _FILLED < filled < 2 - _FILLED


def _detail(photo: np.ndarray, mask: np.ndarray) -> float:
    """The fine detail's mean, relative to the brightness."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    detail = cv2.absdiff(grey, cv2.GaussianBlur(grey, (0, 0), 3))
    return float(detail[mask].mean() / max(grey[mask].mean(), 1.0))


def _tints_differ(one: WhitePoint, other: np.ndarray) -> bool:
    codes = np.rint([[*one], other.tolist()])[None].astype(np.uint8)
    pair = srgb_to_linear(codes)[0].astype(np.float64)
    tints = np.maximum(pair[:, [0, 2]], 1e-4) / np.maximum(pair[:, 1:2], 1e-4)
    return bool(np.abs(np.log(tints[0] / tints[1])).max() > _TINT)
