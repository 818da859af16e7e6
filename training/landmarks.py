"""MediaPipe's 33 landmarks of a pose, as files and requests have them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

KEYS = ("x", "y", "z", "visibility")
# Their order in a mirror, where left and right change places.
MIRRORED = np.array(
    [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(it for pair in range(11, 33, 2) for it in (pair + 1, pair))]
)


def from_points(points: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """(N, 4) float32. Raises LookupError, TypeError and ValueError for points that are none."""
    return np.array([[point[key] for key in KEYS] for point in points], np.float32)


def as_points(landmarks: np.ndarray) -> list[dict[str, float]]:
    """The opposite, for JSON."""
    return [dict(zip(KEYS, row, strict=True)) for row in landmarks.tolist()]
