"""Hair that lies on the garment, and a chin that reaches beyond the head's outline.

A pose tells nothing of them. The network that tells what is visible (visibility.py) finds them, but in real
photographs it also found things before a garment that are not there. So only what begins at the head counts,
only where the network is sure, and farther from the head only what has another colour than the clothes that
the garment covers.
"""

import cv2
import numpy as np

from pipeline.garment.patch import Box
from pipeline.garment.rise import rise

# The probability that something hides the garment, from which on it may be hair, and how far around it the
# edge is soft.
_SURE, _SOFT = 0.75, 0.1
# How far from the head's outline hair may begin, whatever its colour, and at all, as shares of the outline's
# width; and how much of the garment it may hide.
_CLOSE, _NEAR, _MOST = 0.1, 0.8, 0.25
# By `visible`, in 0…255: the share that is hidden, times 255.
_HIDDEN = rise(_SURE, _SOFT, np.arange(255, -1, -1))
# Where the garment is visible for certain, the camera shows what it covers. Colours, in bins of so many bits
# of CIELAB, that have this share there are clothes'; of hair at most this share of the pixels has one.
_CERTAIN, _BITS, _COMMON, _ALIKE = 250, 5, 0.0005, 0.5


def hair_before(camera: np.ndarray, visible: np.ndarray, garment: np.ndarray, head: Box) -> np.ndarray:
    """The share of the garment that hair hides, (n, n) uint8, times 255.

    camera: (n, n, 3) BGR uint8. visible: (n, n) uint8, the network's probability that the garment is visible,
    times 255. garment: (n, n) uint8, its coverage, still over head and hair.
    head: around the head's outline, which may lie beyond the picture; without any width there is no face.
    """
    none = np.zeros_like(visible)
    if not head[2]:
        return none
    drawn = garment > 127
    hidden = ((visible < 255 * (1 - _SURE)) & drawn).view(np.uint8)
    hidden = cv2.morphologyEx(hidden, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, parts = cv2.connectedComponents(hidden)
    near = _touched(parts, hidden, head, _NEAR)
    if not near:
        return none
    close = _touched(parts, hidden, head, _CLOSE)
    clothes = _alike(camera, (visible > _CERTAIN) & drawn)
    most = _MOST * np.count_nonzero(drawn)
    hair = np.zeros(count, np.uint8)
    for part in near:
        alike = clothes[parts == part]
        hair[part] = len(alike) < most and (part in close or alike.mean() < _ALIKE)
    with_edge = cv2.dilate(hair[parts], np.ones((3, 3), np.uint8))
    return cv2.LUT(visible, _HIDDEN) * with_edge


def _touched(parts: np.ndarray, hidden: np.ndarray, head: Box, share: float) -> set[int]:
    """The numbers of the parts that reach an ellipse around the head, larger by a share of its width."""
    x, y, width, height = head
    reach = share * width
    ellipse = ((x + width / 2, y + height / 2), (width + 2 * reach, height + 2 * reach), 0)
    there = cv2.ellipse(np.zeros_like(hidden), ellipse, 1, -1)
    return set(np.unique(parts[(there & hidden) > 0]).tolist())


def _alike(camera: np.ndarray, clothes: np.ndarray) -> np.ndarray:
    """Which pixels have a colour that is common where `clothes`, (n, n) bool, is: (n, n) bool."""
    lightness, *chroma = cv2.split(cv2.cvtColor(camera, cv2.COLOR_BGR2LAB).astype(np.uint16) >> (8 - _BITS))
    bins = (lightness << 2 * _BITS) | (chroma[0] << _BITS) | chroma[1]
    counts = np.bincount(bins[clothes], minlength=1 << 3 * _BITS)
    return counts[bins] > _COMMON * max(int(clothes.sum()), 1)
