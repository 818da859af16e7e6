"""MediaPipe Pose landmarks as the model takes them."""

from collections.abc import Sequence

import numpy as np

LANDMARKS = 33  # https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker


def pose_tensor(points: Sequence[tuple[float | None, ...]] | None) -> np.ndarray | None:
    """Points of (x, y, z, visibility) to float32 (33, 4), or None when tracking is lost.

    x and y are 0 to 1 of the frame and may lie outside it. A point that is missing or has a number that
    is null, NaN or beyond float32 becomes all zeros: visibility 0. Points past the 33rd are left out.
    """
    if not points:
        return None
    pose = np.zeros((LANDMARKS, 4), np.float32)
    given = np.array(points[:LANDMARKS], np.float64).reshape(-1, 4)  # None becomes NaN
    usable = (np.abs(given) <= np.finfo(np.float32).max).all(axis=1)  # False for NaN
    pose[: len(given)][usable] = given[usable]
    pose[:, 3] = pose[:, 3].clip(0, 1)
    return pose if pose[:, 3].any() else None
