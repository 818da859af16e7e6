"""Rough measures of a person from the pose in one picture and their height.

Landmarks are joints in a flat picture: what points towards the camera is shorter there, and a shoulder's
joint lies a few centimetres inside the shoulder. It is a start for choosing a size, not a tailor's work.

The scale comes from how high eyes, shoulders, hips and ankles lie in a standing adult, as shares of the
height: Drillis and Contini, "Body Segment Parameters", 1966; Winter, "Biomechanics and Motor Control of Human
Movement".
"""

from typing import Literal

import numpy as np
from pydantic import BaseModel

# MediaPipe's landmarks, left and right.
EYES, SHOULDERS, ELBOWS, WRISTS, HIPS, ANKLES = (2, 5), (11, 12), (13, 14), (15, 16), (23, 24), (27, 28)
_EYE_HEIGHT, _SHOULDER_HEIGHT, _HIP_HEIGHT, _ANKLE_HEIGHT = 0.936, 0.818, 0.53, 0.039
_SEEN = 0.5  # visibility from which a landmark counts


class Measurements(BaseModel):
    """In millimetres, rough; null for what the picture does not show.

    basis: what gave the scale: the `body` from eyes to ankles, or the `trunk` alone, which is rougher.
    shoulder_width: between the shoulders' joints. torso: from between the shoulders to between the hips.
    sleeve: from shoulder over elbow to wrist. leg: from hip to ankle. Both are the mean of both sides,
    or that of the side seen.
    """

    basis: Literal["body", "trunk"]
    shoulder_width: int
    torso: int | None = None
    hip_width: int | None = None
    sleeve: int | None = None
    leg: int | None = None


def measure(pose: np.ndarray, size: tuple[int, int], height_mm: float) -> Measurements | None:
    """The measures of a person who stands upright; None without both shoulders or without a scale.

    pose: (33, 4), x and y from 0 to 1 of the frame, visibility last.
    size: the frame's (width, height) in pixels. height_mm: the person's height.
    """
    body = _Body(pose, size)
    if not body.seen(*SHOULDERS):
        return None
    shoulders = body.middle(SHOULDERS)
    if body.seen(*EYES, *ANKLES):
        basis: Literal["body", "trunk"] = "body"
        shown, share = body.middle(ANKLES) - body.middle(EYES), _EYE_HEIGHT - _ANKLE_HEIGHT
    elif body.seen(*HIPS):
        basis, shown, share = "trunk", body.middle(HIPS) - shoulders, _SHOULDER_HEIGHT - _HIP_HEIGHT
    else:
        return None
    length = float(np.linalg.norm(shown))
    if length < 1:
        return None
    mm = share * height_mm / length  # of a pixel
    has_hips = body.seen(*HIPS)
    return Measurements(
        basis=basis,
        shoulder_width=round(mm * body.way(*SHOULDERS)),
        torso=round(mm * float(np.linalg.norm(body.middle(HIPS) - shoulders))) if has_hips else None,
        hip_width=round(mm * body.way(*HIPS)) if has_hips else None,
        sleeve=body.mean_way(mm, SHOULDERS, ELBOWS, WRISTS),
        leg=body.mean_way(mm, HIPS, ANKLES),
    )


class _Body:
    def __init__(self, pose: np.ndarray, size: tuple[int, int]) -> None:
        self._points = pose[:, :2].astype(np.float64) * size
        inside = ((pose[:, :2] >= 0) & (pose[:, :2] <= 1)).all(axis=1)
        self._seen = (pose[:, 3] >= _SEEN) & inside

    def seen(self, *numbers: int) -> bool:
        return bool(self._seen[list(numbers)].all())

    def middle(self, pair: tuple[int, int]) -> np.ndarray:
        return np.asarray(self._points[list(pair)].mean(axis=0))

    def way(self, *numbers: int) -> float:
        """The length of a line over these landmarks, in pixels."""
        steps = np.diff(self._points[list(numbers)], axis=0)
        return float(np.linalg.norm(steps, axis=1).sum())

    def mean_way(self, mm: float, *pairs: tuple[int, int]) -> int | None:
        """The mean of both sides, or the side that is seen, in millimetres."""
        sides = [numbers for numbers in zip(*pairs, strict=True) if self.seen(*numbers)]
        return round(mm * sum(self.way(*numbers) for numbers in sides) / len(sides)) if sides else None
