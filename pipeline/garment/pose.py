"""What MediaPipe's 33 landmarks tell about a person, and which of them are reliable.

A tracker invents points that it does not see: the hips of a head-and-shoulders picture come with a visibility
of 0.99. So a point counts only if it is finite, visible and inside the frame.
https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from pipeline.garment.patch import Patch, with_room

EYES = (2, 5)
EARS = (7, 8)
MOUTH = (9, 10)
SHOULDERS = (11, 12)
HIPS = (24, 23)  # in this order they continue the torso's outline after the shoulders
ARMS = ((11, 13, 15), (12, 14, 16))
HANDS = ((15, 17, 19, 21), (16, 18, 20, 22))  # wrist, then the knuckles of little finger, index and thumb
# A forearm's width, and how far before the wrist its middle line ends, in shoulder widths.
_ARM, _TO_CUFF = 0.3, 0.25
# A hand that is farther away than the shoulders by more than this, in shoulder widths, is behind the back.
_BEHIND = 0.2
# A hand's landmarks lie no farther apart than this, in shoulder widths.
_HAND = 0.5
# How far outside a picture points are drawn, in sides.
_FAR = 4


def drawable(points: np.ndarray, side: int) -> np.ndarray:
    """Points as OpenCV can draw them: (N, 2) int32, near the picture, since its coordinates are fixed-point.

    side: the picture's longer one.
    """
    return points.clip(-_FAR * side, _FAR * side).round().astype(np.int32)


@dataclass(frozen=True)
class Hand:
    """The area of a hand.

    outline: contains the hand, from the cuff's end to the tips of bent fingers.
    palm: certainly lies inside the hand, between wrist and knuckles.
    reach: where stretched fingers may be, too.
    corners: (N, 2) int32, of the convex polygon from wrist to fingertips, around which `reach` has a margin.
    arm: the index of its arm, in HANDS and `Pose.forearms`.
    """

    outline: Patch
    palm: Patch
    reach: Patch
    corners: np.ndarray
    arm: int


class Pose:
    """Landmarks in pixels of the frame.

    landmarks: (33, 4) x, y (0 to 1 of the frame), z, visibility. All zero: no pose.
    size: (width, height) of the frame in pixels.
    """

    def __init__(self, landmarks: np.ndarray, size: tuple[int, int]):
        self.landmarks = landmarks = landmarks.astype(np.float64)
        finite = np.isfinite(landmarks).all(axis=1)
        within = finite & (landmarks[:, :2] >= 0).all(axis=1) & (landmarks[:, :2] <= 1).all(axis=1)
        self.seen = within & (landmarks[:, 3] > 0.5)
        self.points = np.where(finite[:, None], landmarks[:, :2], 0) * size  # (33, 2) pixels
        self._finite = finite
        # What the tracker says anything about, also outside the frame and with little confidence.
        self.known = finite & landmarks.any(axis=1)
        self._size = size
        self._extent = max(size)

    def at(self, size: tuple[int, int]) -> "Pose":
        """The same landmarks on a copy of the frame of `size` (width, height)."""
        return Pose(self.landmarks, size)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frame in pixels."""
        return self._size

    @property
    def tracked(self) -> bool:
        """Whether a person is seen: both shoulders, some distance apart."""
        return bool(self.seen[list(SHOULDERS)].all() and self.shoulder_width > 0.02 * self._size[0])

    @property
    def shoulder_width(self) -> float:
        """In pixels."""
        left, right = self.points[list(SHOULDERS)]
        return float(np.linalg.norm(left - right))

    def torso(self) -> np.ndarray:
        """The torso from shoulders to hips: (H, W) bool at the frame's size.

        Impossible hips (above the shoulders, or unknown) are replaced by points one and a half shoulder
        widths below the shoulders. If the tracker has swapped left and right, the result is the same.
        """
        left, right = self.points[list(SHOULDERS)]
        hips = self.points[list(HIPS)]
        if not self._finite[list(HIPS)].all() or hips[:, 1].min() <= max(left[1], right[1]):
            down = np.array([0, 1.5 * self.shoulder_width])
            hips = np.array([right, left]) + down
        return self._hull(np.array([left, right, *hips])).astype(bool)

    def body(self, below: float = 1.1) -> np.ndarray:
        """Roughly the area that a jacket covers, trunk and arms: (H, W) uint8, 0 or 1, at the frame's size.

        below: where it ends below the shoulders, in shoulder widths. The proportions were chosen so that
        jackets of many cuts overlap it best when they lie right.
        """
        unit = self.shoulder_width
        left, right = self.points[list(SHOULDERS)]
        down = self._down()
        out = 0.05 * (left - right)
        top, bottom = -0.18 * unit * down, below * unit * down
        mask = self._hull(np.array([left + out + top, right - out + top, right + bottom, left + bottom]))
        for arm in ARMS:
            known = [number for number in arm if self.landmarks[number].any() and self._finite[number]]
            points = drawable(self.points[known], self._extent)
            cv2.polylines(mask, [points], False, 1, max(1, round(0.36 * unit)))
        return mask

    def _hand(self, wrist: np.ndarray, knuckles: np.ndarray, arm: int) -> Hand:
        """These proportions match generated hands best: an intersection over union of two thirds, against a
        quarter for a disc around the knuckles."""
        reach = knuckles - wrist
        half = max(0.33 * np.linalg.norm(reach.mean(axis=0)), 0.2 * np.linalg.norm(reach, axis=1).max())
        thick = max(1, round(2 * half))
        hull, palm, stretched = (
            cv2.convexHull(np.vstack([wrist + share * reach for share in shares]).round().astype(np.int32))
            for shares in ((0.2, 1.0, 1.25), (0.35, 0.9), (-0.1, 1.0, 1.8))
        )
        x, y, width, height = with_room(cv2.boundingRect(stretched), thick, self._size)
        masks = outline, inner, far = np.zeros((3, height, width), np.uint8)
        for mask, corners in ((outline, hull), (far, stretched)):
            cv2.fillConvexPoly(mask, corners - (x, y), 1)
            cv2.polylines(mask, [corners - (x, y)], True, 1, thick)
        cv2.fillConvexPoly(inner, palm - (x, y), 1)
        outside, inside, beyond = (Patch(x, y, mask) for mask in masks)
        return Hand(outside, inside, beyond, stretched, arm)

    def _down(self) -> np.ndarray:
        """The direction from the shoulders to the hips; straight down if the hips are impossible."""
        hips = self.points[list(HIPS)]
        spine = hips.mean(axis=0) - self.points[list(SHOULDERS)].mean(axis=0)
        if not self._finite[list(HIPS)].all() or spine[1] < 0.5 * self.shoulder_width:
            return np.array([0.0, 1.0])
        return spine / np.linalg.norm(spine)

    @cached_property
    def protected(self) -> np.ndarray:
        """Head and hands, which the garment must not cover: (H, W) bool at the frame's size."""
        whole = (0, 0, *self._size)
        mask = np.zeros(self._size[::-1], np.uint8)
        for patch in (self.head, *(hand.outline for hand in self.hands)):
            mask |= patch.within(whole)
        return mask.view(bool)

    @cached_property
    def head(self) -> Patch:
        """From the hair to the chin; empty if no face is seen."""
        if not self.seen[[*EYES, *MOUTH]].all():
            return Patch(0, 0, np.zeros((0, 0), np.uint8))
        eyes, mouth = self.points[list(EYES)].mean(axis=0), self.points[list(MOUTH)].mean(axis=0)
        axis = mouth - eyes  # about two fifths of the way from the brow to the chin
        length = np.linalg.norm(axis)
        ears = np.linalg.norm(np.subtract(*self.points[list(EARS)])) if self.seen[list(EARS)].all() else 0
        centre = eyes + 0.3 * axis
        half_axes = np.array([1.5 * length, max(0.55 * ears, 0.9 * length)])
        middle = (*np.floor(centre).astype(int).tolist(), 1, 1)
        x, y, width, height = with_room(middle, int(half_axes.max()) + 2, self._size)
        mask = np.zeros((height, width), np.uint8)
        angle = np.degrees(np.arctan2(axis[1], axis[0]))
        ellipse = (tuple((centre - (x, y)).tolist()), tuple((2 * half_axes).tolist()), angle)
        cv2.ellipse(mask, ellipse, 1, -1)
        return Patch(x, y, mask)

    @cached_property
    def forearms(self) -> tuple[Patch, ...]:
        """From each elbow to where a sleeve ends: bare arms have hands' colour, and may lie beside one."""
        return tuple(self._limb(elbow, wrist, _TO_CUFF) for _, elbow, wrist in ARMS)

    @cached_property
    def upper_arms(self) -> tuple[Patch, ...]:
        """From each shoulder to the elbow."""
        return tuple(self._limb(shoulder, elbow) for shoulder, elbow, _ in ARMS)

    def _limb(self, first: int, last: int, short: float = 0) -> Patch:
        """Between two landmarks, and `short` shoulder widths less."""
        if not (self.tracked and self.known[[first, last]].all()):
            return Patch(0, 0, np.zeros((0, 0), np.uint8))
        start, end = self.points[[first, last]]
        short *= self.shoulder_width / max(float(np.linalg.norm(end - start)), 1)
        line = drawable(np.array([start, end - min(short, 1) * (end - start)]), self._extent)
        thick = max(1, round(_ARM * self.shoulder_width))
        x, y, width, height = with_room(cv2.boundingRect(line), thick, self._size)
        mask = np.zeros((height, width), np.uint8)
        cv2.polylines(mask, [line - (x, y)], False, 1, thick)
        return Patch(x, y, mask)

    def trunk_points(self, count: int) -> np.ndarray:
        """`count` × `count` points between shoulders and hips, (N, 2); none if nobody is tracked."""
        if not self.tracked:
            return np.zeros((0, 2))
        left, right = self.points[list(SHOULDERS)]
        across, down = np.meshgrid(np.linspace(0.1, 0.9, count), np.linspace(0.1, 1.3, count))
        low = self.shoulder_width * self._down()
        return left + np.outer(across, right - left) + np.outer(down, low)

    def _beside(self, number: int, hand: np.ndarray) -> bool:
        """Whether a point is seen, or lies outside the frame as close to a seen hand as its own points do."""
        x_y = self.landmarks[number, :2]
        within = bool((x_y >= 0).all() and (x_y <= 1).all())
        if within or not (self.known[number] and self.tracked):
            return bool(self.seen[number])
        return bool(np.linalg.norm(self.points[number] - hand) < _HAND * self.shoulder_width)

    def _behind(self, wrist: int) -> bool:
        """Whether a hand is behind the trunk: then a garment hides it. A pose without depth tells nothing."""
        depth = self.landmarks[[*SHOULDERS, wrist], 2] * self._size[0]
        farther = depth[2] - depth[:2].mean()
        return bool(self.tracked and farther > _BEHIND * self.shoulder_width)  # False for NaN

    @cached_property
    def hands(self) -> list[Hand]:
        """The hands of which at least two knuckles are seen, and that are not behind the back."""
        found = []
        for arm, (wrist, *knuckles) in enumerate(HANDS):
            points = self.points[knuckles][self.seen[knuckles]]
            if len(points) >= 2 and not self._behind(wrist):
                start = points.mean(axis=0)
                points = self.points[[number for number in knuckles if self._beside(number, start)]]
                start = self.points[wrist] if self._beside(wrist, start) else start
                found.append(self._hand(start, points, arm))
        return found

    def _hull(self, points: np.ndarray) -> np.ndarray:
        """The filled convex hull of points in pixels: (H, W) uint8, 0 or 1."""
        width, height = self._size
        mask = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(mask, cv2.convexHull(drawable(points, self._extent)), 1)
        return mask
