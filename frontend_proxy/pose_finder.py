"""Finds a person's pose in a picture, by the network with which the studio does. Runs in a worker process.

MediaPipe's BlazePose (Bazarevsky et al. 2020, https://arxiv.org/abs/2006.10204) has two networks: a detector
that finds the square around a body, and this one, which finds the landmarks in the square. OpenCV cannot
read the detector, so a few squares are tried. The landmarks tell a better square, and the network looks
again: where there is a person, the second look finds the same; where there is none, it wanders off.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from frontend_proxy.pose import SHOULDERS
from frontend_proxy.trackers import LANDMARKS, MEDIAPIPE
from pipeline.pictures.decoding import NotAPicture, decode_opaque

NETWORK = Path(__file__).parent / "studio" / "vendor" / "pose" / "pose_landmark_lite.tflite"
_SIDE = 256  # pixels of the network's input
_OUTPUTS = ("Identity", "Identity_1")  # 39 points of 5 numbers; the probability that there is a person
_POINTS = 39
_CENTRE, _RIM = 33, 34  # of the circle around a body: the middle of the hips, and a point above the head
_MARGIN = 1.25  # of the square around that circle, as MediaPipe has it
_LOOKS = 5
_LONGEST = 640  # pixels; more tell the network nothing
_BODY = (*SHOULDERS, MEDIAPIPE.index("left_hip"), MEDIAPIPE.index("right_hip"))
# Side, as a multiple of the picture's longer one, and centre, as shares of width and height. First for a
# half-length picture, whose hips are near its lower edge; then a whole body, a bust, a small body, a face.
_SQUARES = ((1.5, 0.5, 0.75), (1.0, 0.5, 0.5), (2.2, 0.5, 1.0), (0.7, 0.5, 0.5), (3.0, 0.5, 1.3))
_STEADY = 0.02  # of the square's side, by which shoulders and hips move between two looks
_LOST = 0.1  # the probability below which looking again is useless
_SURE = 0.8  # the least probability
_SAME = 0.1  # of the square's side, by which a body may differ that is found from two squares


class _Look:
    """What the network finds in a square of a picture."""

    def __init__(self, picture: np.ndarray, centre: np.ndarray, side: float, angle: float) -> None:
        scale = side / _SIDE
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        to_picture = np.column_stack([turn, centre - turn @ [_SIDE / 2, _SIDE / 2]])
        square = cv2.warpAffine(
            picture, to_picture, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        network = _network()
        network.setInput(cv2.dnn.blobFromImage(square, 1 / 255, swapRB=True))
        points, person = network.forward(_OUTPUTS)
        points = points.reshape(_POINTS, 5)
        self.side = side
        self.probability = float(person.item())
        self.places = points[:, :2] @ turn.T + to_picture[:, 2]  # pixels of the picture
        self.depths = points[:, 2] * scale
        self.visible = 1 / (1 + np.exp(-np.clip(points[:, 3], -50, 50)))

    def again(self, picture: np.ndarray) -> "_Look":
        """In the square around the body that was found, turned so that the body is upright in it."""
        centre, rim = self.places[[_CENTRE, _RIM]]
        right, down = rim - centre
        side = float(np.clip(2 * _MARGIN * np.hypot(right, down), 8, 8 * max(picture.shape)))
        return _Look(picture, centre, side, float(np.arctan2(right, -down)))

    def moved(self, before: "_Look") -> float:
        """How far shoulders and hips are from those of the look before, as a share of the square."""
        steps = self.places[list(_BODY)] - before.places[list(_BODY)]
        return float(np.hypot(*steps.T).mean() / self.side)


def find_pose(image: bytes) -> np.ndarray | None:
    """MediaPipe's landmarks, float32 (33, 4): x and y as shares of the upright picture, z as a share of its
    width, visibility; None if nobody is found, or if it is not a picture. 0.2 to 0.4 s of processor time."""
    try:
        picture = decode_opaque(image)
    except NotAPicture:
        return None
    height, width = picture.shape[:2]
    if max(height, width) > _LONGEST:
        factor = _LONGEST / max(height, width)
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        height, width = picture.shape[:2]
    found = _search(picture)
    if found is None or min(found.visible[list(SHOULDERS)]) < 0.5:
        return None
    pose = np.column_stack([found.places / (width, height), found.depths / width, found.visible])
    return pose[:LANDMARKS].astype(np.float32)


def _search(picture: np.ndarray) -> _Look | None:
    """A body that is found from two squares."""
    found: list[_Look] = []
    for side, x, y in _SQUARES:
        start = np.array([x * picture.shape[1], y * picture.shape[0]])
        look = _steady(picture, _Look(picture, start, side * max(picture.shape), 0.0))
        if look is None:
            continue
        for other in found:
            if look.moved(other) < _SAME:
                return max(look, other, key=lambda each: each.probability)
        found.append(look)
    return None


def _steady(picture: np.ndarray, look: _Look) -> _Look | None:
    """Looks until the body stays where it is; None if it does not, or if there is hardly one."""
    for _ in range(_LOOKS):
        if look.probability < _LOST:
            break
        look, before = look.again(picture), look
        if look.moved(before) < _STEADY:
            return look if look.probability > _SURE else None
    return None


@cache
def _network() -> cv2.dnn.Net:
    return cv2.dnn.readNetFromTFLite(str(NETWORK))
