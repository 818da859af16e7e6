"""Finds the pixels of a hand inside its outline.

A tracker tells where a hand is, but not its shape. An outline that certainly contains the hand also contains
old clothes: a rim of them around each hand that lies on the jacket. Colour separates the two. Between wrist
and knuckles all pixels are skin; just outside the outline none are. By Bayes' rule, the two colour histograms
tell for each pixel which of the two it is. If the colours are too similar, the whole outline is used.
"""

import cv2
import numpy as np

from pipeline.garment.patch import Patch, window, with_room
from pipeline.garment.pose import Hand
from pipeline.resize import size_of

# Longer side, in pixels, of the copy that is examined: enough for fingers.
_SIDE = 64
# How far outside the outline clothes are sampled, and how far fingers may reach beyond it, as shares of the
# hand's longer side.
_AROUND, _BEYOND = 0.3, 0.06
# Histogram bins of lightness, and of a and of b (CIELAB); sigma of the blur over them, in bins.
_LIGHTNESS, _CHROMA, _SPREAD = 16, 32, 1.0
# Shares of the palm and of the surroundings that the colours must classify correctly.
_PALM, _SURROUNDINGS = 0.8, 0.6
# Log-odds in favour of the hand: a jacket painted over a finger is worse than a rim.
_BIAS = 1.0


def hand_pixels(hand: Hand, frame: np.ndarray) -> Patch:
    """The hand's pixels, at most slightly beyond its outline. frame: (H, W, 3) BGR uint8."""
    x, y, width, height = cv2.boundingRect(hand.outline.mask)
    longer = max(width, height)
    if not longer:
        return hand.outline
    place = (hand.outline.x + x, hand.outline.y + y, width, height)
    box = with_room(place, round(_AROUND * longer), size_of(frame))
    scale = min(1.0, _SIDE / longer)
    columns, rows = (max(8, round(scale * side)) for side in box[2:])

    def small(picture: np.ndarray) -> np.ndarray:
        return cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_LINEAR)

    outline, palm = (small(255 * part.within(box)) > 127 for part in (hand.outline, hand.palm))
    reach = cv2.dilate(outline.view(np.uint8), _disc(_BEYOND * longer * scale))
    outside = ~reach.astype(bool)
    if palm.sum() < 12 or outside.sum() < 30:
        return hand.outline
    evidence = _evidence(cv2.cvtColor(small(frame[window(box)]), cv2.COLOR_BGR2LAB), palm, outside)
    told_apart = (evidence[palm] > 0).mean() >= _PALM and (evidence[outside] < 0).mean() >= _SURROUNDINGS
    if not told_apart:
        return hand.outline
    skin = ((cv2.GaussianBlur(evidence, (0, 0), 0.8) > -_BIAS) & (reach > 0) | palm).view(np.uint8)
    for mend in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN):  # gaps between fingers, threads of cloth
        skin = cv2.morphologyEx(skin, mend, _disc(0.03 * _SIDE))
    skin = _connected_to(skin | palm.view(np.uint8), palm)
    found = cv2.resize(255 * skin, box[2:], interpolation=cv2.INTER_LINEAR) > 110
    return Patch(*box[:2], found.view(np.uint8))


def _evidence(colours: np.ndarray, palm: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """log P(colour | palm) / P(colour | outside), (h, w) float32. colours: (h, w, 3) CIELAB uint8."""
    lightness, a, b = (channel.astype(np.intp) for channel in cv2.split(colours))
    brightness, tint = lightness * _LIGHTNESS // 256, a * _CHROMA // 256 * _CHROMA + b * _CHROMA // 256
    evidence = np.zeros(palm.shape, np.float32)
    for index, shape in ((brightness, (1, _LIGHTNESS)), (tint, (_CHROMA, _CHROMA))):
        for where, sign in ((palm, 1), (outside, -1)):
            counts = (
                np.bincount(index[where], minlength=shape[0] * shape[1]).astype(np.float32).reshape(shape)
            )
            share = cv2.GaussianBlur(counts, (0, 0), _SPREAD) / counts.sum()
            evidence += sign * np.log(share + 1e-3).ravel()[index]
    return evidence


def _connected_to(mask: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """The part of mask (h, w) uint8 that is connected to the palm, with its holes filled."""
    _, labels = cv2.connectedComponents(mask)
    part = np.isin(labels, np.unique(labels[palm & (mask > 0)])).astype(np.uint8)
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(part, outlines, -1, 1, -1)


def _disc(radius: float) -> np.ndarray:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
