"""MediaPipe Pose landmarks in the form that the model takes."""

from collections.abc import Sequence

import numpy as np

LANDMARKS = 33  # https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker
COORDINATES = ("x", "y", "z", "visibility")

Points = Sequence[tuple[float | None, ...]]


def pose_tensor(points: Points | None) -> np.ndarray | None:
    """Points of (x, y, z, visibility) as float32 (33, 4), or None if no point is visible.

    x and y are 0 to 1 in the frame and may be outside it. A point that is missing, or has a number that is
    null, NaN or beyond float32, becomes all zeros: visibility 0. Points after the 33rd are ignored.
    """
    if not points:
        return None
    pose = np.zeros((LANDMARKS, 4), np.float32)
    given = _numbers(points)
    usable = _usable(given).all(axis=1)
    pose[: len(given)][usable] = given[usable]
    pose[:, 3] = pose[:, 3].clip(0, 1)
    return pose if pose[:, 3].any() else None


def pose_warning(points: Points | None) -> str | None:
    """A sentence for the client about landmarks that `pose_tensor` could not use; None if there are none.

    A pose is optional, so a bad one costs no picture. But the client must be able to find its mistake.
    """
    if not points:
        return None
    usable = _usable(_numbers(points))
    unusable = np.flatnonzero(~usable.all(axis=1))
    if not len(unusable):
        return None
    first = unusable[0]
    missing = ", ".join(name for name, ok in zip(COORDINATES, usable[first], strict=True) if not ok)
    effect = (
        "the picture was made without a pose"
        if len(unusable) == len(usable)
        else "these landmarks were ignored"
    )
    return (
        f"pose: {len(unusable)} of {len(usable)} landmarks lack a finite number "
        f"(landmarks.{first}: {missing}); {effect}"
    )


def _numbers(points: Points) -> np.ndarray:
    return np.array(points[:LANDMARKS], np.float64).reshape(-1, 4)  # None becomes NaN


def _usable(numbers: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(numbers) <= np.finfo(np.float32).max)  # False for NaN
