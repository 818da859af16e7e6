"""The view from above on a swatch that was photographed at an angle.

Its four corners define the homography (Hartley & Zisserman, "Multiple View Geometry", §4.1), and its true
proportions (`camera.py`) the size of the view.
"""

import cv2
import numpy as np

_INSET = 0.012  # of the side, cropped inside the outline: the hem and its shadow are not usable cloth


def side_length(corners: np.ndarray, aspect: float | None = None) -> tuple[float, float]:
    """Width and height in pixels of the quadrilateral (4, 2) seen from above: those of its longer sides.

    aspect: its true width by its height, which perspective hides; neither side then gets fewer pixels.
    """
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    width, height = float(max(sides[0], sides[2])), float(max(sides[1], sides[3]))
    if aspect is None:
        return width, height
    return max(width, height * aspect), max(height, width / aspect)


def flat_view(
    corners: np.ndarray, longest: int, aspect: float | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """The view from above on the area within `corners`: 3×3 from its pixels to the photo's, and its size.

    Its longer side has at most `longest` pixels.
    """
    width, height = side_length(corners, aspect)
    scale = min(1.0, longest / max(width, height))
    width, height = round(width * scale), round(height * scale)
    inset = np.array([width, height]) * _INSET
    low, high = -inset, np.array([width, height]) + inset
    source = np.array([low, [high[0], low[1]], high, [low[0], high[1]]], np.float32)
    matrix: np.ndarray = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
    return matrix, (width, height)


def straighten(photo: np.ndarray, to_photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The photo seen through a view of `size` (width, height); 3×3 from its pixels to the photo's."""
    shrink = pixels_per_pixel(to_photo, np.array(size) / 2)
    if shrink > 1:
        photo = cv2.GaussianBlur(photo, (0, 0), 0.4 * shrink)
    # Linear: to find a repeat needs no more, and cubic takes three times as long.
    return cv2.warpPerspective(photo, to_photo, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def pixels_per_pixel(matrix: np.ndarray, at: np.ndarray) -> float:
    """How far the images of neighbouring pixels at a point (x, y) lie apart under a homography, at most."""
    x, y, w = matrix @ [*at, 1.0]
    jacobian = (matrix[:2, :2] - np.outer([x / w, y / w], matrix[2, :2])) / w
    return float(np.linalg.norm(jacobian, axis=0).max())
