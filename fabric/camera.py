"""The camera's focal length, and with it the true proportions of a rectangle photographed at an angle.

A photo of a rectangle shows two vanishing points. They fix the focal length, and the focal length fixes the
rectangle's width by its height (Zhang & He, "Whiteboard scanning and image enhancement", 2007). Seen almost
from above, the vanishing points are far away and say little; then the file's own note counts, or what
phones usually have.
"""

import cv2
import numpy as np

FULL_FRAME = float(np.hypot(36, 24))  # the diagonal to which "35 mm equivalent" refers
USUAL = 27.0  # mm; the main cameras of phones have 23 to 28
_TRUST_FILE, _TRUST_USUAL = 0.04, 0.4  # standard deviation of the logarithm of the focal length
_TRUST_CORNERS = np.radians(1.0)  # how exactly corners and cloth are at right angles
_FOCAL_LENGTHS = np.exp(np.linspace(np.log(10), np.log(300), 400))  # mm

Array = np.ndarray


def true_aspect(corners: Array, size: tuple[int, int], focal_35: float | None = None) -> float:
    """Width by height of the rectangle whose corners (4, 2) lie clockwise from the top left.

    size: the photo's (width, height). focal_35: as if the film had 36 × 24 mm, in mm; None is unknown.
    The camera's axis is taken to pass through the photo's middle.
    """
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    middle = np.array(size) / 2
    per_mm = float(np.hypot(*size)) / FULL_FRAME
    matrix = cv2.getPerspectiveTransform(square, ((corners - middle) / per_mm).astype(np.float32))
    # The directions of the two sides in space for each focal length: K⁻¹ h1 and K⁻¹ h2.
    one, other = (
        np.stack(
            [column[0] / _FOCAL_LENGTHS, column[1] / _FOCAL_LENGTHS, np.full_like(_FOCAL_LENGTHS, column[2])]
        )
        for column in (matrix[:, 0], matrix[:, 1])
    )
    lengths = np.linalg.norm(one, axis=0), np.linalg.norm(other, axis=0)
    skew = np.arcsin(np.clip((one * other).sum(axis=0) / (lengths[0] * lengths[1]), -1, 1))
    expected, trust = (focal_35, _TRUST_FILE) if focal_35 else (USUAL, _TRUST_USUAL)
    unlikely = (skew / _TRUST_CORNERS) ** 2 + (np.log(_FOCAL_LENGTHS / expected) / trust) ** 2
    best = unlikely.argmin()
    return float(lengths[0][best] / lengths[1][best])
