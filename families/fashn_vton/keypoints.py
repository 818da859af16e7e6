"""The drawing of a person's points that the network takes as a pose, in greys.

It is DWPose's drawing of OpenPose's points (Yang et al., "Effective Whole-body Pose Estimation with
Two-stages Distillation", 2023) as FASHN VTON was trained with it. Points are shares of width and height.
"""

from collections.abc import Iterator
from itertools import pairwise

import cv2
import numpy as np

# A point with a lower score is not drawn.
LEAST_SCORE = 0.3

# OpenPose's 18 points of a body among MediaPipe's 33 landmarks. The neck is the middle of the shoulders.
_NECK, _SHOULDERS = 1, (2, 5)
_MEDIAPIPE = (0, 11, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7)
_LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),
    *((1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)
_LIMB_GREYS = [int(grey) for grey in np.linspace(20, 240, 18)]
_LIMB_SHARE = 0.6  # of their grey that limbs keep, so that points stand out
_FINGERS = tuple((0, *range(first, first + 4)) for first in range(1, 21, 4))
_FINGER_GREYS = [int(grey) for grey in np.linspace(160, 220, 20)]
_HAND_GREY, _FACE_GREY = 240, 200


def body_points(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MediaPipe's landmarks, (33, 4) → OpenPose's points (18, 2), and which of them are seen, (18,) bool.

    A point outside the picture is not seen: a tracker invents those, and is sure of them.
    """
    points, scores = landmarks[:, :2].astype(np.float64), landmarks[:, 3]
    seen = np.isfinite(landmarks).all(axis=1) & (scores > LEAST_SCORE)
    seen &= ((points >= 0) & (points <= 1)).all(axis=1)
    body, known = points[list(_MEDIAPIPE)], seen[list(_MEDIAPIPE)]
    body[_NECK] = body[list(_SHOULDERS)].mean(axis=0)
    known[_NECK] = known[list(_SHOULDERS)].all()
    return body, known


def draw(
    body: np.ndarray,
    seen: np.ndarray,
    size: tuple[int, int],
    hands: np.ndarray | None = None,
    faces: np.ndarray | None = None,
) -> np.ndarray:
    """The drawing, (height, width) uint8, black where nothing is.

    body: (18, 2), seen: (18,) bool. size: (width, height).
    hands: (N, 21, 2), faces: (N, M, 2); a point that is not seen is negative. None: there are none.
    """
    canvas = np.zeros(size[::-1], np.uint8)
    points = (body * size).astype(int)
    _draw_limbs(canvas, points, seen)
    for number in np.flatnonzero(seen):
        cv2.circle(canvas, points[number].tolist(), 4, _point_grey(int(number)), -1)
    for hand in () if hands is None else hands:
        _draw_hand(canvas, (hand * size).astype(int))
    for face in () if faces is None else faces:
        for point in _inside((face * size).astype(int)):
            cv2.circle(canvas, point, 3, _FACE_GREY, -1)
    return canvas


def _draw_limbs(canvas: np.ndarray, points: np.ndarray, seen: np.ndarray) -> None:
    for (first, last), grey in zip(_LIMBS, _LIMB_GREYS[: len(_LIMBS)], strict=True):
        if seen[first] and seen[last]:
            (x, y), (end_x, end_y) = points[[first, last]].tolist()
            middle = (x + end_x) // 2, (y + end_y) // 2
            length = int(np.hypot(x - end_x, y - end_y))
            angle = int(np.degrees(np.arctan2(y - end_y, x - end_x)))
            outline = cv2.ellipse2Poly(middle, (length // 2, 4), angle, 0, 360, 1)
            cv2.fillConvexPoly(canvas, outline, grey)
    canvas[:] = (canvas * _LIMB_SHARE).astype(np.uint8)


def _point_grey(number: int) -> int:
    limb = next(index for index, limb in enumerate(_LIMBS) if number in limb)
    return min(255, int(1.3 * _LIMB_GREYS[limb]))


def _draw_hand(canvas: np.ndarray, points: np.ndarray) -> None:
    bones = [bone for finger in _FINGERS for bone in pairwise(finger)]
    for (first, last), grey in zip(bones, _FINGER_GREYS, strict=True):
        if (points[[first, last]] > 0).all():
            cv2.line(canvas, points[first].tolist(), points[last].tolist(), grey, 2)
    for point in _inside(points):
        cv2.circle(canvas, point, 4, _HAND_GREY, -1)


def _inside(points: np.ndarray) -> Iterator[list[int]]:
    """The points of which both coordinates are positive."""
    yield from (point for point in points.tolist() if min(point) > 0)
