"""The model's picture of the crop back into the frame.

Outside the garment's mask every pixel stays the camera's own. The model's light is laid on the whole
garment; where its picture itself is wanted, that takes over from the plain composite over a short way inside
the mask, so that the garment keeps the render's clean outline.
"""

import cv2
import numpy as np

from pipeline.light.relighting import NO_LIGHT, light_ratio, relight, steadied, with_detail
from pipeline.resize import shrink_to, size_of

# Width of that way, as a share of the crop's side.
_FEATHER = 0.012

_ENCODERS = {
    "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 92]),
    "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 3]),
}

Slices = tuple[slice, slice]


def finish(
    pixels: np.ndarray,
    composite: np.ndarray,
    mask: np.ndarray,
    crop: np.ndarray,
    relight_sigma: float,
    detail_gain: float,
    earlier_light: np.ndarray,
    output_format: str,
) -> tuple[np.ndarray, np.ndarray]:
    """The answer as compressed bytes, (N,) uint8, and the light laid on the garment, (h, w, 3) float32;
    (1, 1, 3) of zeros where the model's picture is taken as it is.

    pixels: (3, h, w) float32, RGB in −1…1, what the model made of the crop.
    relight_sigma: in pixels of the picture; 0 takes the picture as it is.
    output_format: `jpeg` or `png`.
    The others are as in `relit`.
    """
    picture = to_bgr(pixels)
    if relight_sigma > 0:
        answer, light = relit(picture, composite, mask, crop, relight_sigma, earlier_light, detail_gain)
    else:
        answer, light = paste(picture, composite, mask, crop), np.zeros((1, 1, 3), np.float32)
    suffix, options = _ENCODERS[output_format]
    _, image = cv2.imencode(suffix, answer, options)
    return image.reshape(-1), light


def to_bgr(pixels: np.ndarray) -> np.ndarray:
    """(3, H, W) RGB in −1…1 → (H, W, 3) BGR uint8, rounded as diffusers' image processor does."""
    picture = cv2.merge([*pixels[::-1]])
    return cv2.addWeighted(picture, 127.5, picture, 0, 127.5, dtype=cv2.CV_8U)


def feather(mask: np.ndarray, width: float) -> np.ndarray:
    """0 outside the mask (H, W) uint8, rising to its coverage over `width` pixels inside: float32, 0…1."""
    inside = (mask > 0).astype(np.uint8)
    depth = cv2.distanceTransform(
        cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_REPLICATE), cv2.DIST_L2, 3
    )
    return np.minimum(depth[1:-1, 1:-1] / max(width, 1.0), mask.astype(np.float32) / 255)


def paste(picture: np.ndarray, composite: np.ndarray, mask: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """The picture as it is on the frame: (H, W, 3) BGR uint8.

    picture: (h, w, 3) BGR uint8, what the model made of the crop.
    composite: (H, W, 3) BGR uint8, the render drawn on the frame.
    mask: (H, W) uint8, the garment's coverage.
    crop: x, y, width, height of the picture's place in the frame; it may reach beyond the frame.
    """
    result = composite.copy()
    within, shown = _overlap(crop, mask.shape, picture.shape)
    start, coverage, part = composite[within], mask[within], picture[shown]
    if not coverage.any():
        return result
    height, width = coverage.shape
    interpolation = cv2.INTER_AREA if part.shape[1] > width else cv2.INTER_CUBIC
    painted = cv2.resize(part, (width, height), interpolation=interpolation)
    weight = feather(coverage, _FEATHER * max(crop[2:]))
    result[within] = cv2.blendLinear(painted, start, weight, 1 - weight)
    return result


def relit(
    picture: np.ndarray,
    composite: np.ndarray,
    mask: np.ndarray,
    crop: np.ndarray,
    sigma: float,
    earlier_light: np.ndarray = NO_LIGHT,
    detail_gain: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Only the picture's light on the frame: (H, W, 3) BGR uint8, and that light, (h, w, 3) float32, which is
    0 beyond the frame.

    sigma: in pixels of the picture; light coarser than it is taken (relight.py).
    earlier_light: (h, w, 4) or (1, 1, 4) float32, see relight.steadied.
    detail_gain: of the render's folds, see relight.with_detail.
    The others are as in `paste`.
    """
    result, light = composite.copy(), np.zeros(picture.shape, np.float32)
    within, shown = _overlap(crop, mask.shape, picture.shape)
    start, coverage, part = composite[within], mask[within], picture[shown]
    if not coverage.any():
        return result, light
    size = size_of(part)
    small, share = shrink_to(start, size), shrink_to(coverage, size).astype(np.float32) / 255
    known = earlier_light if earlier_light.shape[:2] == (1, 1) else earlier_light[shown]
    light[shown] = steadied(light_ratio(part, small, share, sigma), known)
    lit = with_detail(light[shown], small, share, sigma, detail_gain)
    relight(start, lit, coverage, result[within])
    return result, light


def _overlap(crop: np.ndarray, frame: tuple[int, ...], picture: tuple[int, ...]) -> tuple[Slices, Slices]:
    """The part of the crop that lies within the frame, of the frame and of the picture of these shapes; what
    was beyond the frame's edges was made up."""
    x, y, width, height = (int(value) for value in crop)
    left, top = max(0, x), max(0, y)
    right, bottom = max(left, min(frame[1], x + width)), max(top, min(frame[0], y + height))
    scale_x, scale_y = picture[1] / width, picture[0] / height
    return np.s_[top:bottom, left:right], np.s_[
        round((top - y) * scale_y) : round((bottom - y) * scale_y),
        round((left - x) * scale_x) : round((right - x) * scale_x),
    ]
