"""The model's picture of the crop back into the frame.

Outside the garment's mask every pixel stays the camera's own. Inside, the model's picture takes over
from the plain composite over a short way, so that the garment keeps the render's clean outline.
"""

import cv2
import numpy as np

# Width of that way, as a share of the crop's side.
_FEATHER = 0.012


def to_bgr(pixels: np.ndarray) -> np.ndarray:
    """(3, H, W) RGB in −1…1 → (H, W, 3) BGR uint8, rounded as diffusers' image processor does."""
    picture = np.rint((pixels.transpose(1, 2, 0) / 2 + 0.5).clip(0, 1) * 255).astype(np.uint8)
    return cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)


def feather(mask: np.ndarray, width: float) -> np.ndarray:
    """0 outside the mask (H, W) uint8, rising to its coverage over `width` pixels inside: float32, 0…1."""
    inside = (mask > 0).astype(np.uint8)
    depth = cv2.distanceTransform(
        cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_REPLICATE), cv2.DIST_L2, 3
    )
    return np.minimum(depth[1:-1, 1:-1] / max(width, 1.0), mask.astype(np.float32) / 255)


def paste(picture: np.ndarray, composite: np.ndarray, mask: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """The answer, (H, W, 3) BGR uint8.

    picture: (h, w, 3) BGR uint8, what the model made of the crop.
    composite: (H, W, 3) BGR uint8, the render drawn on the frame.
    mask: (H, W) uint8, the garment's coverage.
    crop: x, y, width, height of the picture's place in the frame; it may reach beyond the frame.
    """
    result = composite.copy()
    x, y, width, height = (int(value) for value in crop)
    left, top = max(0, x), max(0, y)
    right, bottom = min(composite.shape[1], x + width), min(composite.shape[0], y + height)
    within = np.s_[top:bottom, left:right]
    if right <= left or bottom <= top or not mask[within].any():
        return result
    shrinks = picture.shape[1] > width
    placed = cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )[top - y : bottom - y, left - x : right - x]
    weight = feather(mask[within], _FEATHER * max(width, height))[:, :, None]
    blended = composite[within] + weight * (placed.astype(np.float32) - composite[within])
    result[within] = np.rint(blended).clip(0, 255)
    return result
