"""The model's picture of the crop back into the frame.

Outside the garment's mask every pixel stays the camera's own. The model's light is laid on the whole
garment; where its picture itself is wanted, that takes over from the plain composite over a short way inside
the mask, so that the garment keeps the render's clean outline.
"""

import cv2
import numpy as np
from relight import light_ratio, relight

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


def paste(
    picture: np.ndarray, composite: np.ndarray, mask: np.ndarray, crop: np.ndarray, relight_sigma: float = 0
) -> np.ndarray:
    """The answer, (H, W, 3) BGR uint8.

    picture: (h, w, 3) BGR uint8, what the model made of the crop.
    composite: (H, W, 3) BGR uint8, the render drawn on the frame.
    mask: (H, W) uint8, the garment's coverage.
    crop: x, y, width, height of the picture's place in the frame; it may reach beyond the frame.
    relight_sigma: in pixels of the picture; above 0 only the light coarser than it is taken from the
        picture (relight.py), at 0 the picture as it is.
    """
    result = composite.copy()
    x, y, width, height = (int(value) for value in crop)
    left, top = max(0, x), max(0, y)
    right, bottom = min(composite.shape[1], x + width), min(composite.shape[0], y + height)
    within = np.s_[top:bottom, left:right]
    if right <= left or bottom <= top or not mask[within].any():
        return result

    # The part of the picture that lies within the frame; what was beyond its edges was made up.
    scale_x, scale_y = picture.shape[1] / width, picture.shape[0] / height
    part = picture[
        round((top - y) * scale_y) : round((bottom - y) * scale_y),
        round((left - x) * scale_x) : round((right - x) * scale_x),
    ]
    start, coverage = composite[within], mask[within]
    if relight_sigma > 0:
        size = part.shape[1::-1]
        small_mask = _shrink(coverage, size).astype(np.float32) / 255
        ratio = light_ratio(part, _shrink(start, size), small_mask, relight_sigma)
        result[within] = relight(start, ratio, coverage)
        return result
    interpolation = cv2.INTER_AREA if part.shape[1] > right - left else cv2.INTER_CUBIC
    painted = cv2.resize(part, (right - left, bottom - top), interpolation=interpolation)
    weight = feather(coverage, _FEATHER * max(width, height))
    result[within] = cv2.blendLinear(painted, start, weight, 1 - weight)
    return result


def _shrink(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """To `size` (width, height): bilinear to twice of it, then halved; averaging over areas takes thrice
    the time, and here only what is coarse counts."""
    twice = cv2.resize(picture, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(twice, size, interpolation=cv2.INTER_AREA)
