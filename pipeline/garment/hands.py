"""Finds the pixels of a hand near its landmarks.

A tracker tells where a hand is, but not its shape. An outline that certainly contains the hand also contains
old clothes: a rim of them around each hand that lies on the jacket; and stretched fingers reach beyond it.
Colour separates them. Between wrist and knuckles all pixels are skin; on the trunk, and farther from the
hands and bare arms, none are. By Bayes' rule, the two colour histograms and the place tell for each pixel
which of the two it is. If the colours are too similar, the whole outline is used.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.garment.hand_view import HandView
from pipeline.garment.patch import Patch, window
from pipeline.garment.pose import Hand, Pose
from pipeline.garment.skin_colour import Bins, SkinColour
from pipeline.resize import size_of

# Longer side of the hand's reach, in pixels of the copy that is examined: enough for fingers.
_SIDE = 96
# How far outside the hand's reach clothes are sampled, as a share of the longer side.
_AROUND = 0.15
# Shares of the palm and of the clothes that the colours must classify correctly.
_PALM, _CLOTHES = 0.8, 0.6
# Log-odds by place: between wrist and fingertips, and less for each longer side farther away. A jacket
# painted over a finger is worse than a rim.
_INSIDE, _FARTHER = 1.0, 16.0
# How far around the palm the hand has no sleeve, as a share of the longer side.
_AROUND_PALM = 0.1
# Points across and down the trunk at which clothes are sampled.
_GRID = 16


def hand_pixels(hand: Hand, frame: np.ndarray, pose: Pose) -> Patch:
    """The hand's pixels, within its reach. frame: (H, W, 3) BGR uint8."""
    view = HandView(hand, size_of(frame), _AROUND, _SIDE)
    if not view.longer:
        return hand.outline
    box = view.box
    palm, reach = view.of(hand.palm), view.of(hand.reach)
    skin = [*pose.forearms, *pose.upper_arms, *(other.reach for other in pose.hands)]
    outside = ~view.of(*skin)
    colours = cv2.cvtColor(view.small(frame[window(box)]), cv2.COLOR_BGR2LAB)
    clothes = np.concatenate([_on_trunk(frame, pose, skin), colours[outside]])
    if palm.sum() < 12 or len(clothes) < 30:
        return hand.outline
    bare, dressed = Bins.of(colours[palm]), Bins.of(clothes)
    evidence = SkinColour(bare, dressed)
    told_apart = (evidence.of(bare) > 0).mean() >= _PALM and (evidence.of(dressed) < 0).mean() >= _CLOTHES
    if not told_apart:
        return hand.outline
    off = cv2.distanceTransform(1 - view.core(), cv2.DIST_L2, 3) / (view.longer * view.scale)
    seen = evidence.of(Bins.of(colours.reshape(-1, 3))).reshape(off.shape)
    seen = cv2.GaussianBlur(seen, (0, 0), 0.8) + _INSIDE - _FARTHER * off
    found = ((seen > 0) & reach & ~view.arms(pose, _AROUND_PALM) | palm).view(np.uint8)
    for mend in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN):  # creases, threads of cloth
        found = cv2.morphologyEx(found, mend, np.ones((3, 3), np.uint8))
    found = _connected_to(found | palm.view(np.uint8), palm)
    return Patch(*box[:2], (cv2.resize(255 * found, box[2:]) > 110).view(np.uint8))


def _on_trunk(frame: np.ndarray, pose: Pose, skin: Sequence[Patch]) -> np.ndarray:
    """Colours of the trunk, (N, 3) CIELAB uint8, without those where hands and arms may be."""
    points = np.rint(pose.trunk_points(_GRID)).astype(int)
    inside = ((points >= 0) & (points < size_of(frame))).all(axis=1)
    points = points[inside]
    bare = np.zeros(len(points), bool)
    for patch in skin:
        x, y = (points - (patch.x, patch.y)).T
        height, width = patch.mask.shape
        within = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        bare[within] |= patch.mask[y[within], x[within]] > 0
    x, y = points[~bare].T
    return cv2.cvtColor(frame[y, x][None], cv2.COLOR_BGR2LAB)[0] if len(x) else np.zeros((0, 3), np.uint8)


def _connected_to(mask: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """The part of mask (h, w) uint8 that is connected to the palm, with its holes filled."""
    count, labels = cv2.connectedComponents(mask)
    chosen = np.zeros(count, np.uint8)
    chosen[labels[palm & (mask > 0)]] = 1
    part = chosen[labels]
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(part, outlines, -1, 1, -1)
