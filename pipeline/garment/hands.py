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

from pipeline.garment.patch import Patch, window, with_room
from pipeline.garment.pose import Hand, Pose
from pipeline.resize import size_of

# Longer side, in pixels, of the copy that is examined: enough for fingers.
_SIDE = 96
# How far outside the hand's reach clothes are sampled, as a share of the longer side.
_AROUND = 0.15
# Histogram bins of lightness, and of a and of b (CIELAB); sigmas of the blurs over them, in bins.
_LIGHTNESS, _CHROMA = 16, 64
_SPREAD, _CHROMA_SPREAD = 1.0, 1.2
# Shares of the palm and of the clothes that the colours must classify correctly.
_PALM, _CLOTHES = 0.8, 0.6
# What shade tells at most, as log-odds: a hand's own shading is as strong as a difference between cloths.
_SHADE = 1.5
# Log-odds by place: between wrist and fingertips, and less for each longer side farther away. A jacket
# painted over a finger is worse than a rim.
_INSIDE, _FARTHER = 1.0, 16.0
# How far around the palm the hand has no sleeve, as a share of the longer side.
_AROUND_PALM = 0.1
# Points across and down the trunk at which clothes are sampled.
_GRID = 16


def hand_pixels(hand: Hand, frame: np.ndarray, pose: Pose) -> Patch:
    """The hand's pixels, within its reach. frame: (H, W, 3) BGR uint8."""
    x, y, width, height = cv2.boundingRect(hand.reach.mask)
    longer = max(width, height)
    if not longer:
        return hand.outline
    place = (hand.reach.x + x, hand.reach.y + y, width, height)
    box = with_room(place, round(_AROUND * longer), size_of(frame))
    scale = min(1.0, _SIDE / longer)
    columns, rows = (max(8, round(scale * side)) for side in box[2:])

    def small(picture: np.ndarray) -> np.ndarray:
        return cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_LINEAR)

    def over_box(*patches: Patch) -> np.ndarray:
        covered = np.zeros((box[3], box[2]), np.uint8)
        for patch in patches:
            patch.add_to(covered, box)
        return small(255 * covered) > 127

    palm, reach = over_box(hand.palm), over_box(hand.reach)
    skin = [*pose.forearms, *pose.upper_arms, *(other.reach for other in pose.hands)]
    outside = ~over_box(*skin)
    colours = cv2.cvtColor(small(frame[window(box)]), cv2.COLOR_BGR2LAB)
    clothes = np.concatenate([_on_trunk(frame, pose, skin), colours[outside]])
    if palm.sum() < 12 or len(clothes) < 30:
        return hand.outline
    evidence = _Evidence(colours[palm], clothes)
    seen = evidence.of(colours)
    told_apart = (seen[palm] > 0).mean() >= _PALM and (evidence.of(clothes) < 0).mean() >= _CLOTHES
    if not told_apart:
        return hand.outline
    core = np.zeros((rows, columns), np.uint8)
    cv2.fillConvexPoly(core, np.rint((hand.corners - box[:2]) * scale).astype(np.int32), 1)
    off = cv2.distanceTransform(1 - core, cv2.DIST_L2, 3) / (longer * scale)
    seen = cv2.GaussianBlur(seen, (0, 0), 0.8) + _INSIDE - _FARTHER * off
    # Sleeves cover the arms up to the hands, however much the arms' colour is the hand's.
    near = cv2.dilate(palm.view(np.uint8), _disc(_AROUND_PALM * longer * scale)) > 0
    others = [pose.forearms[1 - hand.arm], *pose.upper_arms]
    others += [other.reach for other in pose.hands if other.arm != hand.arm]
    arms = over_box(pose.forearms[hand.arm]) & ~near | over_box(*others) & (core == 0)
    found = ((seen > 0) & reach & ~arms | palm).view(np.uint8)
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


class _Evidence:
    """log P(colour | skin) / P(colour | clothes). skin, clothes: (N, 3) CIELAB uint8."""

    def __init__(self, skin: np.ndarray, clothes: np.ndarray):
        shade = _log_ratio(
            *(_histogram(_shade_of(colours), (1, _LIGHTNESS), _SPREAD) for colours in (skin, clothes))
        )
        self._shade = shade.clip(-_SHADE, _SHADE)
        self._tint = _log_ratio(
            *(
                _histogram(_tint_of(colours), (_CHROMA, _CHROMA), _CHROMA_SPREAD)
                for colours in (skin, clothes)
            )
        )

    def of(self, colours: np.ndarray) -> np.ndarray:
        """(…) float32 for (…, 3) CIELAB uint8."""
        return np.asarray(self._shade[_shade_of(colours)] + self._tint[_tint_of(colours)])


def _shade_of(colours: np.ndarray) -> np.ndarray:
    return colours[..., 0].astype(np.intp) * _LIGHTNESS // 256


def _tint_of(colours: np.ndarray) -> np.ndarray:
    a, b = (colours[..., channel].astype(np.intp) * _CHROMA // 256 for channel in (1, 2))
    return a * _CHROMA + b


def _histogram(bins: np.ndarray, shape: tuple[int, int], spread: float) -> np.ndarray:
    counts = np.bincount(bins, minlength=shape[0] * shape[1]).astype(np.float32).reshape(shape)
    return cv2.GaussianBlur(counts, (0, 0), spread).ravel() / max(len(bins), 1)


def _log_ratio(skin: np.ndarray, clothes: np.ndarray) -> np.ndarray:
    """A colour that neither has is rather no skin: skin was sampled, of clothes only some."""
    return np.log((skin + 1e-3) / (clothes + 2e-3))


def _disc(radius: float) -> np.ndarray:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def _connected_to(mask: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """The part of mask (h, w) uint8 that is connected to the palm, with its holes filled."""
    _, labels = cv2.connectedComponents(mask)
    part = np.isin(labels, np.unique(labels[palm & (mask > 0)])).astype(np.uint8)
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(part, outlines, -1, 1, -1)
