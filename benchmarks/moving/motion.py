"""How client.js moves a light with the person (frontend_proxy/studio/light_geometry.js)."""

import numpy as np

from pipeline.garment.pose import EARS, HIPS, SHOULDERS


def motion(before: np.ndarray, now: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(3, 3), from pixels of a keyframe's frame to those of another one. before, now: (33, 4) landmarks.

    Along the shoulders it has their scale. Upwards it has theirs or that of the height, the nearer to 1: who
    turns has narrower shoulders, but is as tall as before.
    """
    first, second = (landmarks[:, :2].astype(np.float64) * size for landmarks in (before, now))
    one, other = (points[SHOULDERS[1]] - points[SHOULDERS[0]] for points in (first, second))
    across = np.linalg.norm(other) / np.linalg.norm(one)
    reference = HIPS if min(before[list(HIPS), 3].min(), now[list(HIPS), 3].min()) >= 0.5 else EARS
    upwards = min(across, _height(second, reference) / _height(first, reference), key=_from_one)
    into, out = _frame(one), _frame(other)
    linear = out @ np.diag([across, upwards]) @ into.T
    middles = [points[list(SHOULDERS)].mean(axis=0) for points in (first, second)]
    shift = middles[1] - linear @ middles[0]
    return np.vstack([np.column_stack([linear, shift]), (0, 0, 1)])


def _height(points: np.ndarray, reference: tuple[int, int]) -> float:
    apart = points[list(reference)].mean(axis=0) - points[list(SHOULDERS)].mean(axis=0)
    return float(np.linalg.norm(apart))


def _from_one(scale: float) -> float:
    return float(abs(np.log(scale)))


def _frame(along: np.ndarray) -> np.ndarray:
    """Columns: the direction, and the one across it."""
    x, y = along / np.linalg.norm(along)
    return np.array([[x, -y], [y, x]])
