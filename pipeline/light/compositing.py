"""Puts the model's picture of the crop back into the frame.

Outside the garment's mask every pixel stays unchanged. The model's light is applied to the whole garment. If
the model's picture itself is used, it is blended with the composite along the inside of the mask's edge (the
feather), so that the garment keeps the render's clean outline.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.garment.garment_map import ONE_GARMENT, masks_of
from pipeline.light.light_map import encode_light
from pipeline.light.relighting import NO_LIGHT, light_ratio, relight, scene_ratio, steadied, with_detail
from pipeline.light.scene_light import NO_SCENE_LIGHT
from pipeline.pictures.png import encode_png
from pipeline.resize import shrink_to, size_of
from pipeline.strips import strips

# Width of the feather, as a share of the crop's side.
_FEATHER = 0.012
# Rows of the frame that are feathered at a time: their distances and weights are float32.
_FEATHER_ROWS = 256

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 92]

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
    scene_light: np.ndarray = NO_SCENE_LIGHT,
    picture_share: float = 0.0,
    garment_map: np.ndarray = ONE_GARMENT,
) -> tuple[np.ndarray, np.ndarray]:
    """The answer as compressed bytes, (N,) uint8, and the light applied to the garment, (h, w, 3) float32,
    which is (1, 1, 3) of zeros if the model's picture itself is used.

    pixels: (3, h, w) float32, RGB in −1…1, the model's picture of the crop.
    relight_sigma: in pixels of the picture; 0 uses the picture itself.
    output_format: `jpeg`, `png`, or `light`: the bytes are the light's map (light_map.py), and nothing is
        drawn on the frame. It needs a relight_sigma.
    The others are as in `relit`.
    """
    picture, scene = to_bgr(pixels), (scene_light, picture_share)
    if output_format == "light":
        found = found_light(picture, composite, mask, crop, relight_sigma, earlier_light, *scene)
        return encode_light(found.light, found.coverage), found.light
    if relight_sigma > 0:
        answer, light = relit(
            picture, composite, mask, crop, relight_sigma, earlier_light, detail_gain, *scene, garment_map
        )
    else:
        answer, light = paste(picture, composite, mask, crop), np.zeros((1, 1, 3), np.float32)
    if output_format == "png":
        return encode_png(answer), light
    return cv2.imencode(".jpg", answer, _JPEG)[1].reshape(-1), light


def to_bgr(pixels: np.ndarray) -> np.ndarray:
    """(3, H, W) RGB in −1…1 → (H, W, 3) BGR uint8, rounded as diffusers' image processor does.

    A picture of uint8 was rounded by whoever made it.
    """
    picture = cv2.merge([*pixels[::-1]])
    if picture.dtype == np.uint8:
        return picture
    return cv2.addWeighted(picture, 127.5, picture, 0, 127.5, dtype=cv2.CV_8U)


def feather(mask: np.ndarray, width: float) -> np.ndarray:
    """Blending weights, (H, W) float32 in 0…1: 0 outside the mask, rising to its coverage inside.

    mask: (H, W) uint8. width: of the rise, in pixels.
    """
    inside = (mask > 0).astype(np.uint8)
    depth = cv2.distanceTransform(
        cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_REPLICATE), cv2.DIST_L2, 3
    )
    return np.minimum(depth[1:-1, 1:-1] / max(width, 1.0), mask.astype(np.float32) / 255)


def paste(picture: np.ndarray, composite: np.ndarray, mask: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """The model's picture itself on the frame: (H, W, 3) BGR uint8.

    picture: (h, w, 3) BGR uint8, the model's picture of the crop.
    composite: (H, W, 3) BGR uint8, the render drawn on the frame.
    mask: (H, W) uint8, the garment's coverage.
    crop: x, y, width, height of the picture on the frame; it may reach beyond the frame.
    """
    result = composite.copy()
    inside, seen = _overlap(crop, mask.shape, picture.shape)
    start, coverage, part, target = composite[inside], mask[inside], picture[seen], result[inside]
    if not coverage.any():
        return result
    height, width = coverage.shape
    interpolation = cv2.INTER_AREA if part.shape[1] > width else cv2.INTER_CUBIC
    painted = cv2.resize(part, (width, height), interpolation=interpolation)
    x, y, width, height = cv2.boundingRect(coverage)
    columns = slice(max(0, x - 1), x + width + 1)  # with the column of zeros where the feather begins
    feathering = _FEATHER * max(crop[2:])
    # A pixel's feather depends on no row further away than this: OpenCV counts 0.955 for a step.
    reach = math.ceil(feathering / 0.95) + 2
    for rows in strips(y, y + height, _FEATHER_ROWS):
        top = max(0, rows.start - reach)
        weight = feather(coverage[top : rows.stop + reach, columns], feathering)
        weight = weight[rows.start - top : rows.stop - top]
        area = rows, columns
        target[area] = cv2.blendLinear(painted[area], start[area], weight, 1 - weight)
    return result


def relit(
    picture: np.ndarray,
    composite: np.ndarray,
    mask: np.ndarray,
    crop: np.ndarray,
    sigma: float,
    earlier_light: np.ndarray = NO_LIGHT,
    detail_gain: float = 1.0,
    scene_light: np.ndarray = NO_SCENE_LIGHT,
    picture_share: float = 0.0,
    garment_map: np.ndarray = ONE_GARMENT,
) -> tuple[np.ndarray, np.ndarray]:
    """The composite in the light of the model's picture, (H, W, 3) BGR uint8, and that light, (h, w, 3)
    float32, which is 0 beyond the frame.

    sigma: in pixels of the picture; only light coarser than this is used (relighting.py).
    earlier_light: (h, w, 4) or (1, 1, 4) float32, see relighting.steadied.
    detail_gain: for the render's folds, see relighting.with_detail.
    scene_light, picture_share: with a light of the scene, that one counts (relighting.scene_ratio).
    garment_map: (H, W) uint8, which garment each pixel shows; ONE_GARMENT for one.
    The others are as in `paste`.
    """
    result = composite.copy()
    inside, seen = _overlap(crop, mask.shape, picture.shape)
    found = found_light(picture, composite, mask, crop, sigma, earlier_light, scene_light, picture_share)
    if found.coverage.any():
        coverages = [found.coverage[seen]]
        if garment_map.shape == mask.shape:
            own = masks_of(mask[inside], garment_map[inside])
            coverages = [shrink_to(part, size_of(found.composite)).astype(np.float32) / 255 for part in own]
        lit = with_detail(found.light[seen], found.composite, coverages, sigma, detail_gain)
        relight(composite[inside], lit, mask[inside], result[inside])
    return result, found.light


@dataclass(frozen=True)
class FoundLight:
    """
    light: (h, w, 3) float32 over the crop, 0 beyond the frame.
    coverage: (h, w) float32 in 0…1, the garment's over the crop.
    composite: (…, …, 3) uint8, the part of the crop that lies inside the frame, at the light's resolution.
    """

    light: np.ndarray
    coverage: np.ndarray
    composite: np.ndarray


def found_light(
    picture: np.ndarray,
    composite: np.ndarray,
    mask: np.ndarray,
    crop: np.ndarray,
    sigma: float,
    earlier_light: np.ndarray = NO_LIGHT,
    scene_light: np.ndarray = NO_SCENE_LIGHT,
    picture_share: float = 0.0,
) -> FoundLight:
    """The light of the model's picture, or of the scene. The arguments are as in `relit`."""
    light, coverage = np.zeros(picture.shape, np.float32), np.zeros(picture.shape[:2], np.float32)
    inside, seen = _overlap(crop, mask.shape, picture.shape)
    start, part, there = composite[inside], picture[seen], mask[inside]
    if not there.any():
        return FoundLight(light, coverage, part)
    size = size_of(part)
    small = shrink_to(start, size)
    coverage[seen] = shrink_to(there, size).astype(np.float32) / 255
    known = earlier_light if earlier_light.shape[:2] == (1, 1) else earlier_light[seen]
    lit_by_scene = scene_light.shape[:2] != (1, 1)
    ratio = np.zeros((1, 1, 3), np.float32)
    if picture_share or not lit_by_scene:
        ratio = light_ratio(part, small, coverage[seen], sigma)
    if lit_by_scene:
        lit = cv2.resize(scene_light, size_of(picture), interpolation=cv2.INTER_LINEAR)[seen]
        ratio = scene_ratio(lit, ratio, small, coverage[seen], sigma, picture_share)
    light[seen] = steadied(ratio, known)
    return FoundLight(light, coverage, small)


def _overlap(crop: np.ndarray, frame: tuple[int, ...], picture: tuple[int, ...]) -> tuple[Slices, Slices]:
    """The part of the crop that lies inside the frame, as slices of the frame and of the picture.

    frame, picture: their shapes. The picture's part has at least one pixel, however thin the frame is.
    """
    x, y, width, height = (int(value) for value in crop)
    left, top = max(0, x), max(0, y)
    right, bottom = max(left, min(frame[1], x + width)), max(top, min(frame[0], y + height))
    columns = _scaled(left - x, right - x, picture[1] / width, picture[1])
    rows = _scaled(top - y, bottom - y, picture[0] / height, picture[0])
    return np.s_[top:bottom, left:right], (rows, columns)


def _scaled(start: int, stop: int, scale: float, length: int) -> slice:
    first = min(round(start * scale), length - 1)
    return slice(first, max(first + 1, round(stop * scale)))
