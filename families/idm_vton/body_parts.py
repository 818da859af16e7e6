"""A drawing of a person's body parts from the pose, in the style of DensePose's segmentation.

It stands in for a DensePose network: the same 24 parts in the same colours, but with the outlines of a stick
figure with limbs of usual thickness.

Parts (densepose's numbers): 1 the trunk's back, 2 its front; 3, 4 right, left hand; 5, 6 left, right foot;
7 to 10 thighs, 11 to 14 shins, 15 to 18 upper arms, 19 to 22 forearms; 23, 24 right, left half of the head.
"""

import cv2
import numpy as np

from pipeline.garment.patch import Box
from pipeline.garment.pose import Pose

# Parts of the right and the left side.
_HANDS, _FEET, _HEAD = (3, 4), (6, 5), (23, 24)
_TRUNK_BACK, _TRUNK_FRONT = 1, 2
_THIGHS_BACK, _THIGHS_FRONT = (7, 8), (9, 10)
_SHINS_BACK, _SHINS_FRONT = (11, 12), (13, 14)
# An arm's inside is towards the trunk when it hangs down.
_UPPER_ARMS_INSIDE, _UPPER_ARMS_OUTSIDE = (16, 15), (18, 17)
_FOREARMS_INSIDE, _FOREARMS_OUTSIDE = (20, 19), (22, 21)

# MediaPipe's numbers, right and left.
_SHOULDERS, _ELBOWS, _WRISTS = (12, 11), (14, 13), (16, 15)
_HIPS, _KNEES, _ANKLES = (24, 23), (26, 25), (28, 27)
_KNUCKLES = ((18, 20), (17, 19))
_TOES = (32, 31)
_NOSE, _MOUTH, _EARS = 0, (9, 10), (8, 7)

# In shoulder widths.
_ARM, _FOREARM, _HAND = 0.3, 0.24, 0.26
_THIGH, _SHIN, _FOOT = 0.46, 0.32, 0.26
_TRUNK = 1.4  # shoulders to hips, where the hips are unknown
_HEAD_HEIGHT, _HEAD_WIDTH = 0.75, 0.56
# Points are clipped to so many picture sides, since OpenCV draws with fixed-point coordinates.
_FAR = 4

# OpenCV's map in RGB: the colour of each part, black for none.
_COLOURS = cv2.applyColorMap((np.arange(25) * 255 / 24).astype(np.uint8)[:, None], cv2.COLORMAP_PARULA)
COLOURS = _COLOURS[:, 0, ::-1].copy()
COLOURS[0] = 0


def coloured(parts: np.ndarray) -> np.ndarray:
    """(H, W) integers, 0 to 24 → (H, W, 3) RGB uint8, as DensePose draws its segmentation."""
    return COLOURS[parts]


def draw(pose: Pose, window: Box, size: tuple[int, int]) -> np.ndarray:
    """The parts of the person: (H, W) uint8, 0 to 24; 0 everywhere without a pose.

    window: the part of the pose's frame that is drawn; it may reach beyond the frame.
    size: (width, height) of the drawing.
    """
    canvas = np.zeros(size[::-1], np.uint8)
    if pose.tracked:
        _Figure(pose, window, canvas).draw()
    return canvas


class _Figure:
    """A tracked person on a canvas."""

    def __init__(self, pose: Pose, window: Box, canvas: np.ndarray):
        self.pose = pose
        self.canvas = canvas
        x, y, width, height = window
        far = _FAR * max(canvas.shape)
        scale = np.array([canvas.shape[1] / width, canvas.shape[0] / height])
        self._points = ((pose.points - (x, y)) * scale).clip(-far, far)
        right, left = self.points(*_SHOULDERS)
        self.unit = float(np.linalg.norm(right - left))
        # Of somebody who faces the camera the right shoulder is on the left.
        self.faces = bool(right[0] < left[0])
        self.middle = (right + left) / 2

    def points(self, *numbers: int) -> np.ndarray:
        """(2,) for one, (N, 2) for several, in pixels of the canvas."""
        return self._points[numbers[0] if len(numbers) == 1 else list(numbers)]

    def seen(self, *numbers: int) -> bool:
        return bool(self.pose.seen[list(numbers)].all())

    def draw(self) -> None:
        """What is nearer to the camera, mostly, is drawn later."""
        self._legs()
        self._trunk()
        if self.faces:
            self._head()
            self._arms()
        else:
            self._arms()
            self._head()

    def _trunk(self) -> None:
        shoulders, hips = self.points(*_SHOULDERS), self._hips()
        wider = 0.08 * (shoulders[0] - shoulders[1])
        outline = [shoulders[0] + wider, shoulders[1] - wider, hips[1] - 2 * wider, hips[0] + 2 * wider]
        neck = self.middle - 0.4 * self.unit * self._down()
        side = 0.14 * self.unit * np.array([1.0, 0.0])
        self._fill([*outline, neck - side, neck + side], _TRUNK_FRONT if self.faces else _TRUNK_BACK)

    def _legs(self) -> None:
        hips = self._hips()
        thighs, shins = (_THIGHS_FRONT, _SHINS_FRONT) if self.faces else (_THIGHS_BACK, _SHINS_BACK)
        for side in range(2):
            knee, ankle, toe = (self.points(joint[side]) for joint in (_KNEES, _ANKLES, _TOES))
            if not self.seen(_KNEES[side]):
                continue
            if self.seen(_ANKLES[side]):
                if self.seen(_TOES[side]):
                    self._limb(ankle, toe, _FOOT, _FEET[side])
                self._limb(knee, ankle, _SHIN, shins[side])
            self._limb(hips[side], knee, _THIGH, thighs[side])

    def _arms(self) -> None:
        for side in range(2):
            shoulder, elbow, wrist = (self.points(joint[side]) for joint in (_SHOULDERS, _ELBOWS, _WRISTS))
            if not self.seen(_ELBOWS[side]):
                continue
            if self.seen(_WRISTS[side]):
                self._hand(side, wrist)
                self._halves(elbow, wrist, _FOREARM, _FOREARMS_INSIDE[side], _FOREARMS_OUTSIDE[side])
            self._halves(shoulder, elbow, _ARM, _UPPER_ARMS_INSIDE[side], _UPPER_ARMS_OUTSIDE[side])

    def _hand(self, side: int, wrist: np.ndarray) -> None:
        if self.seen(*_KNUCKLES[side]):
            knuckles = self.points(*_KNUCKLES[side]).mean(axis=0)
            self._limb(wrist, wrist + 1.2 * (knuckles - wrist), _HAND, _HANDS[side])

    def _head(self) -> None:
        """Its halves, split at the nose; from behind at the middle."""
        if not self.seen(*_EARS) and not self.seen(_NOSE, *_MOUTH):
            return
        ears = self.points(*_EARS)
        centre = (ears.mean(axis=0) + self.points(_NOSE)) / 2 if self.seen(_NOSE) else ears.mean(axis=0)
        width = max(_HEAD_WIDTH * self.unit, 1.1 * float(np.linalg.norm(ears[0] - ears[1])))
        height = max(_HEAD_HEIGHT * self.unit, 1.3 * width)
        split = self.points(_NOSE)[0] if self.seen(_NOSE) else centre[0]
        mask = np.zeros_like(self.canvas)
        cv2.ellipse(mask, (tuple(centre.tolist()), (width, height), 0.0), 1, -1)
        columns = np.arange(mask.shape[1])[None]
        right = columns < split if self.faces else columns >= split
        head = mask > 0
        self.canvas[head & right] = _HEAD[0]
        self.canvas[head & ~right] = _HEAD[1]

    def _halves(self, start: np.ndarray, end: np.ndarray, width: float, inside: int, outside: int) -> None:
        """An arm's part: its half towards the trunk's middle is the inside, that away from it the outside."""
        self._limb(start, end, width, outside)
        along = end - start
        across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-6)
        if np.dot(across, self.middle - start) < 0:
            across = -across
        edge = across * width * self.unit / 2
        self._fill([start, end, end + edge, start + edge], inside)

    def _limb(self, start: np.ndarray, end: np.ndarray, width: float, part: int) -> None:
        thick = max(1, round(width * self.unit))
        first, last = (tuple(point.round().astype(int).tolist()) for point in (start, end))
        cv2.line(self.canvas, first, last, part, thick)

    def _fill(self, outline: list[np.ndarray], part: int) -> None:
        hull = cv2.convexHull(np.array(outline).round().astype(np.int32))
        cv2.fillConvexPoly(self.canvas, hull, part)

    def _hips(self) -> np.ndarray:
        """Right and left; below the shoulders where they are not seen."""
        if self.seen(*_HIPS):
            return self.points(*_HIPS)
        return self.points(*_SHOULDERS) * 0.8 + 0.2 * self.middle + np.array([0, _TRUNK * self.unit])

    def _down(self) -> np.ndarray:
        down = self._hips().mean(axis=0) - self.middle
        return down / max(float(np.linalg.norm(down)), 1e-6)
