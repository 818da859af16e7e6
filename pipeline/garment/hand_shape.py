"""A hand's shape, from 21 landmarks that a network finds in the picture.

A pose has four points of a hand: they tell neither its fingers, nor where the bare forearm behind them
begins, which has the same colour. And a pose has them also of hands that nobody sees, in a pocket or behind
the back. MediaPipe's network of hands tells both (Zhang et al. 2020, https://arxiv.org/abs/2006.10214; its
points: https://ai.google.dev/edge/mediapipe/solutions/vision/hand_landmarker).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.garment.hand_view import HandView
from pipeline.garment.pose import HANDS, Pose

# The network's input, in pixels.
SIDE = 224
# (1, SIDE, SIDE, 3) uint8 RGB → (1, 63), 21 points x, y, z in pixels of the input, and (1, 1), the
# probability that a hand is there.
HandNetwork = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

# The square in which a hand is looked for: its side in distances from the wrist to the knuckles, which are at
# least so many shoulder widths apart, or a hand that points at the camera has none.
_SQUARE, _LEAST = 3.2, 0.12
# A tracker's nonsense: a hand so many shoulder widths long.
_IMPOSSIBLE = 2
# The probability from which there is a hand.
_PRESENT = 0.2
# Points: wrist, knuckles of the index, middle and little finger; around the palm.
_WRIST, _INDEX, _MIDDLE, _LITTLE = 0, 5, 9, 17
_PALM = (_WRIST, 1, _INDEX, _MIDDLE, 13, _LITTLE)
_PALM_EDGES = tuple((point, _PALM[number - 1]) for number, point in enumerate(_PALM))
_FINGERS = tuple(
    (knuckle + at, knuckle + at + 1) for knuckle in (_INDEX, _MIDDLE, 13, _LITTLE) for at in range(3)
)
# Half the width of a thumb and of a finger, in palm lengths. A palm's length is at least so many of its
# widths, or a hand that points at the camera has none.
_THUMB, _FINGER = 0.10, 0.085
_PALM_BY_WIDTH = 1.2
# Lines between points, and how far the hand reaches beside them.
_BONES = ((((0, 1), (1, 2), (2, 3), (3, 4)), _THUMB), ((*_FINGERS, *_PALM_EDGES), _FINGER))


@dataclass(frozen=True)
class HandShape:
    """points: (21, 2) float32, in pixels of the frame."""

    points: np.ndarray

    def distances(self, view: HandView) -> tuple[np.ndarray, np.ndarray]:
        """Of each pixel of the view's copy, (h, w) float32 in palm lengths: the distance from the hand's
        outline, negative inside it; and how far it is from the wrist towards the fingers."""
        points, sides = view.on_copy(self.points), view.size
        axis = points[_MIDDLE] - points[_WRIST]
        width = float(np.linalg.norm(points[_LITTLE] - points[_INDEX]))
        palm = max(float(np.linalg.norm(axis)), _PALM_BY_WIDTH * width, 1.0)
        x, y = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in sides))
        away = ((_to_bones(x, y, points, bones), half) for bones, half in _BONES)
        distance = np.minimum(*(np.sqrt(squared) / palm - half for squared, half in away))
        inside = np.zeros(x.shape, np.uint8)
        cv2.fillConvexPoly(inside, cv2.convexHull(points[list(_PALM)].round().astype(np.int32)), 1)
        distance[inside > 0] = np.minimum(distance[inside > 0], -_FINGER)
        axis = axis / max(float(np.linalg.norm(axis)), 1e-6) / palm
        along = (x - points[_WRIST, 0]) * axis[0] + (y - points[_WRIST, 1]) * axis[1]
        return distance, along.astype(np.float32)


def look_at_hand(network: HandNetwork, frame: np.ndarray, pose: Pose, arm: int) -> HandShape | None:
    """The shape of a hand of the pose; None if there is none in the picture.

    frame: (H, W, 3) BGR uint8. arm: its index in HANDS.
    """
    wrist, little, index, _ = HANDS[arm]
    if not pose.known[[wrist, little, index]].all():
        return None
    start = pose.points[wrist]
    reach = pose.points[[little, index]].mean(axis=0) - start
    long = max(float(np.linalg.norm(reach)), _LEAST * pose.shoulder_width, 1.0)
    if long > _IMPOSSIBLE * pose.shoulder_width:
        return None
    angle = np.arctan2(reach[0], -reach[1])  # the fingers point upwards in the square
    scale = _SQUARE * long / SIDE
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = start + reach - turn @ [SIDE / 2, SIDE / 2]
    square = cv2.warpAffine(
        frame, np.column_stack([turn, middle]), (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    points, present = network(cv2.cvtColor(square, cv2.COLOR_BGR2RGB)[None])
    if float(present[0, 0]) < _PRESENT:
        return None
    return HandShape((points.reshape(-1, 3)[:, :2] @ turn.T + middle).astype(np.float32))


def _to_bones(
    x: np.ndarray, y: np.ndarray, points: np.ndarray, bones: Sequence[tuple[int, int]]
) -> np.ndarray:
    """The squared distance of places, x and y (h, w), from the nearest of the lines: (h, w)."""
    first, last = np.array(bones).T
    from_x, from_y = points[first].T[..., None, None]
    to_x, to_y = (points[last] - points[first]).T[..., None, None]
    off_x, off_y = x - from_x, y - from_y
    share = ((off_x * to_x + off_y * to_y) / np.maximum(to_x * to_x + to_y * to_y, 1e-6)).clip(0, 1)
    off_x -= share * to_x
    off_y -= share * to_y
    return np.asarray((off_x * off_x + off_y * off_y).min(axis=0))


def nearest(shapes: Sequence[HandShape], view: HandView) -> tuple[np.ndarray, np.ndarray]:
    """`HandShape.distances` of the shape that is the nearest to each pixel."""
    distance, along = shapes[0].distances(view)
    for shape in shapes[1:]:
        other, along_other = shape.distances(view)
        along = np.where(other < distance, along_other, along)
        distance = np.minimum(distance, other)
    return distance, along
