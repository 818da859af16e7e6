"""The region that a garment of a category may cover, from the pose: what to paint where nothing is drawn.

The region is generous. What the person wears now may be wider or longer than the new garment, and whatever
of it lies outside the region stays in the picture: old sleeves would show beside the new ones. Head and hands
are not taken out here; protection.py does it, by the frame's colours.
"""

from collections.abc import Callable

import cv2
import numpy as np

from pipeline.garment.pose import ARMS, HIPS, SHOULDERS, Pose, drawable
from pipeline.resize import shrink_within, size_of

CATEGORIES = ("tops", "bottoms", "one-pieces", "auto")
# What `auto` means where nothing shows which category the garment has.
USUAL = "tops"

KNEES, ANKLES = (26, 25), (28, 27)
LEGS = ((24, 26, 28), (23, 25, 27))

# Lengths in units of the person: the shoulders' distance, or what the trunk tells where they stand edgewise.
_COLLAR = 0.3  # above the shoulders
_OUT = 0.16  # beside the shoulders, and beside the hips
_HEM = 0.55  # below the hips: old jackets hang so low
_SLEEVE = 0.5  # an arm's width with loose cloth
_CUFF = 0.12  # beyond the wrist
_WAIST = 0.4  # above the hips: a waistband under a short top
_LEG = 0.62  # a leg's width with loose cloth
_TRUNK = 1.35  # shoulders to hips, where the hips are unknown
_THIGH, _SHIN = 1.1, 1.1  # hip to knee to ankle, where these are unknown

# A region that covers a smaller share of the frame is the rim of something outside it.
_LEAST = 0.01
# Long side, in pixels, at which a garment is compared with the categories' regions.
_COMPARE_AT = 128


def region(pose: Pose, category: str) -> np.ndarray | None:
    """Where the garment may be: (H, W) uint8, 0 or 255, at the frame's size; None if the pose does not tell.

    category: one of CATEGORIES; `auto` counts as USUAL.
    """
    if not pose.tracked:
        return None
    body = _Body(pose)
    mask = np.zeros(pose.size[::-1], np.uint8)
    for draw in _PARTS[USUAL if category == "auto" else category]:
        draw(body, mask)
    return mask if np.count_nonzero(mask) >= _LEAST * mask.size else None


def wanted_points(category: str) -> str:
    """What a pose must show for this category, for messages."""
    return "hips and knees" if category == "bottoms" else "both shoulders"


def resolved(category: str, mask: np.ndarray, pose: Pose) -> str:
    """The category without `auto`: the one whose region is most like `mask`, (H, W) uint8, the garment's."""
    if category != "auto":
        return category
    small = shrink_within(mask, _COMPARE_AT) > 127
    at_this_size = pose.at(size_of(small))
    best, best_overlap = USUAL, 0.0
    for candidate in CATEGORIES[:-1]:
        candidate_region = region(at_this_size, candidate)
        if candidate_region is None:
            continue
        inside = candidate_region > 0
        overlap = np.count_nonzero(inside & small) / max(np.count_nonzero(inside | small), 1)
        if overlap > best_overlap:
            best, best_overlap = candidate, overlap
    return best


class _Body:
    """A tracked person's joints in pixels, with guesses for those that the pose does not tell."""

    def __init__(self, pose: Pose):
        self._pose = pose
        self._extent = max(pose.size)
        self.shoulders = pose.points[list(SHOULDERS)]
        neck = self.shoulders.mean(axis=0)
        spine = pose.points[list(HIPS)].mean(axis=0) - neck
        length = float(np.linalg.norm(spine))
        # Invented hips lie beside or just below the shoulders.
        self.has_hips = bool(pose.known[list(HIPS)].all() and spine[1] >= 0.8 * pose.shoulder_width)
        self.unit = max(pose.shoulder_width, length / _TRUNK) if self.has_hips else pose.shoulder_width
        self.down = spine / length if self.has_hips else np.array([0.0, 1.0])
        across = self.shoulders[0] - self.shoulders[1]
        self.hips = (
            pose.points[list(HIPS)][::-1]  # in the order of the shoulders
            if self.has_hips
            else neck + _TRUNK * self.unit * self.down + np.outer((0.3, -0.3), across)
        )

    def arm(self, arm: tuple[int, ...]) -> np.ndarray:
        """The known joints of an arm, (N, 2), with the cuff's end."""
        joints = self._pose.points[[number for number in arm if self._pose.known[number]]]
        if len(joints) < len(arm):
            return joints
        forearm = joints[-1] - joints[-2]
        return np.vstack([joints, joints[-1] + _CUFF * self.unit * forearm / max(np.linalg.norm(forearm), 1)])

    @property
    def has_legs(self) -> bool:
        """Whether legs are in the frame, or run out of it. A person behind a desk has none."""
        if not (self.has_hips and self._pose.seen[list(HIPS)].any()):
            return False
        knees = self._pose.points[list(KNEES)]
        below = self._pose.known[list(KNEES)] & (knees[:, 1] >= self._pose.size[1])
        return bool((self._pose.seen[list(KNEES)] | below).any())

    def leg(self, leg: tuple[int, ...]) -> np.ndarray:
        """Hip, knee and ankle, (3, 2)."""
        hip, knee, ankle = (self._pose.points[number] for number in leg)
        if not self._pose.known[leg[1]]:
            knee = hip + _THIGH * self.unit * self.down
        if not self._pose.known[leg[2]]:
            ankle = knee + _SHIN * self.unit * (knee - hip) / max(np.linalg.norm(knee - hip), 1)
        return np.array([hip, knee, ankle])

    def fill(self, mask: np.ndarray, *points: np.ndarray) -> None:
        """Fill the points' convex hull."""
        cv2.fillConvexPoly(mask, cv2.convexHull(drawable(np.vstack(points), self._extent)), 255)

    def stroke(self, mask: np.ndarray, points: np.ndarray, width: float) -> None:
        thick = max(1, round(width * self.unit))
        cv2.polylines(mask, [drawable(points, self._extent)], False, 255, thick)


def _trunk(body: _Body, mask: np.ndarray) -> None:
    """From the collar to below the hips, as wide as the wider of both."""
    across = body.shoulders[0] - body.shoulders[1]
    across = across / np.linalg.norm(across)
    left, right = body.shoulders + _OUT * body.unit * np.array([across, -across])
    low = body.hips + _HEM * body.unit * body.down
    low = low + (_OUT + 0.05) * body.unit * np.array([across, -across])
    collar = body.shoulders.mean(axis=0) - _COLLAR * body.unit * body.down
    narrow = 0.3 * body.unit * across
    body.fill(
        mask,
        left,
        right,
        low,
        collar + narrow,
        collar - narrow,
        left - 0.1 * body.unit * body.down,
        right - 0.1 * body.unit * body.down,
    )


def _arms(body: _Body, mask: np.ndarray) -> None:
    for arm in ARMS:
        if len(joints := body.arm(arm)) >= 2:
            body.stroke(mask, joints, _SLEEVE)


def _legs(body: _Body, mask: np.ndarray) -> None:
    """From the waistband to the ankles, with what a skirt would cover between the legs."""
    if not body.has_legs:
        return
    legs = [body.leg(leg) for leg in LEGS]
    waist = body.hips - _WAIST * body.unit * body.down
    sides = np.array([[1, 0], [-1, 0]]) * (_OUT + 0.1) * body.unit
    body.fill(mask, waist + sides, waist - sides, body.hips + sides, body.hips - sides)
    body.fill(mask, *legs)
    for leg in legs:
        body.stroke(mask, leg, _LEG)


_PARTS: dict[str, tuple[Callable[[_Body, np.ndarray], None], ...]] = {
    "tops": (_trunk, _arms),
    "bottoms": (_legs,),
    "one-pieces": (_trunk, _arms, _legs),
}
