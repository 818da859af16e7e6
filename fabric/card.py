"""Tells a card that lies on the cloth from a swatch that lies on a table: both are quadrilaterals."""

import cv2
import numpy as np

from fabric.light import srgb_to_linear
from fabric.region import cell_features, small
from fabric.white import is_neutral

_LARGEST = 0.25  # of the photo: a card leaves most of the cloth to be seen, a swatch is what the photo is of
_COLOURED = 0.12  # of the photo; a larger card is white, grey or black
_WOVEN = float(np.log2(1 + 2.5))  # texture around a card
_SMOOTHER = 1.5  # than its surroundings
_FINE = float(np.log2(1 + 1.1))  # texture of a fine weave, as far as a preview shows it
_BARE = 0.4  # texture of a card in a noisy photo; cloth that fits into one has more
_EVEN = 0.4  # between the tenth and the ninetieth percentile: yarns are everywhere, a mat's lines are not


def is_card(colour: np.ndarray, corners: np.ndarray) -> bool:
    """Whether a quadrilateral (4, 2) in a picture (H, W, 3) uint8 lies on the cloth instead of being it.

    Then it is small, smooth, and surrounded by texture. Felt on a cutting mat is smooth in a texture, too,
    but it is larger, or of a colour. A fine weave has little texture, but it has that everywhere.
    """
    share = cv2.contourArea(corners.astype(np.float32)) / (colour.shape[0] * colour.shape[1])
    if share > _LARGEST:
        return False
    # Relative to its surroundings' brightness, texture is much the same in a shadow, which need not be found.
    texture = cell_features(srgb_to_linear(small(colour)))[..., 3]
    rows, columns = texture.shape
    scale = np.array([columns, rows]) / colour.shape[1::-1]
    mask = np.zeros(texture.shape, np.uint8)
    cv2.fillConvexPoly(mask, np.rint(corners * scale - 0.5).astype(np.int32), 1)
    inside = texture[cv2.erode(mask, np.ones((3, 3), np.uint8)) == 1]
    outside = texture[cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0]
    if not inside.size or not outside.size:
        return False
    low, around, high = (float(value) for value in np.percentile(outside, (10, 50, 90)))
    within = float(np.median(inside))
    woven = around > _WOVEN and around - within > _SMOOTHER
    fine = around > _FINE and within < _BARE and high - low < _EVEN
    if is_neutral(colour, corners):
        return woven or fine
    return woven and share < _COLOURED and high - low < _EVEN
