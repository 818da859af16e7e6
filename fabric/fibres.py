"""The direction of a cloth's fibres, along which its details are long."""

import cv2
import numpy as np

from fabric.shrink import shrink

_SIDE = 512
_COHERENT = 0.1  # of 0 to 1: a structure that is less one-sided has no direction


def fibre_direction(diffuse: np.ndarray) -> float | None:
    """Of a tile (N, N, 3) uint8: radians anticlockwise from its width, -π/2 to π/2; None without one.

    The structure tensor (Bigün & Granlund, "Optimal Orientation Detection of Linear Symmetry", 1987): fibres
    lie where brightness changes least.
    """
    side = min(_SIDE, len(diffuse))
    grey = shrink(cv2.cvtColor(diffuse, cv2.COLOR_RGB2GRAY), side, side).astype(np.float32)
    dx, dy = cv2.Scharr(grey, cv2.CV_32F, 1, 0), cv2.Scharr(grey, cv2.CV_32F, 0, 1)
    xx, yy, xy = (float(cv2.mean(cv2.multiply(a, b))[0]) for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    total = xx + yy
    if total < 1e-6 or np.hypot(xx - yy, 2 * xy) / total < _COHERENT:
        return None
    across = 0.5 * np.arctan2(2 * xy, xx - yy)  # of the strongest change, in the picture, y down
    return float((-across + np.pi) % np.pi - np.pi / 2)
