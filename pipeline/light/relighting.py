"""Applies the light of the model's picture to the render, whose detail is kept.

A small model paints the scene's light well and the cloth's detail badly; the render has the detail and no
light. So only the part of the model's picture D that is coarser than σ is used, as a ratio to the composite C
that the model started from:

    R = log( G_σ[m · D / s] / G_σ[m · C] )       within the garment, m its mask
    T = log( Y / G_3σ[m · Y] )                   Y the brightness of C: folds and threads
    answer = C + m · C · (exp(R + (γ − 1) · T) − 1)            at the frame's resolution

γ is the detail's gain: above 1 folds are deeper than in the render's neutral light. All means are over the
garment alone, so that nothing bleeds in from outside (masked filtering: Knutsson and Westin, "Normalized and
differential convolution", CVPR 1993). They are means of values, not of logarithms, since the autoencoder's
blur keeps means of values. s is the autoencoder's own change of colours, measured where the model had to
change nothing.

Within a session the light of the last keyframe is kept where R agrees with it (session_light.py).
"""

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.light.scene_light import on_code_values
from pipeline.resize import size_of
from pipeline.strips import strips

# Added to values in 0…1 before a division, since values below it are only noise.
FLOOR = 0.04
# Folds are finer than this many σ.
_FOLDS = 3
# C̄, the colour that the scene's light falls on, is a mean of so many σ: R stays smooth enough for a small map
# (light_map.py), and as right: 3.17 dB gained instead of 3.18 on path-traced scenes.
_MEAN = 2
# Detail weaker than this share of the brightness is noise of the codec, and is not amplified.
_NOISE = 0.02
# Weight of the pixels outside the garment, so that a mean never divides by 0.
_OUTSIDE_WEIGHT = 1e-4
# In pixels. A Gaussian with more than twice this sigma is computed on a smaller copy, which changes the
# answer by less than half a grey level.
_SIGMA = 1.5
# The value of 1 in 16-bit fixed point; the largest change, from both limits below, still fits.
_ONE = 4096
# The light may change the render's brightness by at most these factors, and so may the detail.
_LARGEST_RATIO = np.log(4.0)
_LARGEST_DETAIL = np.log(1.9)
# The `earlier_light` that means "none"; see `steadied`.
NO_LIGHT = np.zeros((1, 1, 4), np.float32)


def light_ratio(picture: np.ndarray, composite: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """R, (h, w, 3) float32, at the model's resolution.

    picture: (h, w, 3) uint8, the model's.
    composite: (h, w, 3) uint8, the model's input.
    mask: (h, w) float32, the garment's coverage in 0…1.
    sigma: in pixels at this resolution.
    """
    weight = mask + np.float32(_OUTSIDE_WEIGHT)
    weights = cv2.merge([weight * np.float32(1 / 255)] * 3)
    floor = cv2.merge([FLOOR * _coarser(weight, sigma)] * 3)
    light, start = (_coarser(p.astype(np.float32) * weights, sigma) + floor for p in (picture, composite))
    ratio = cv2.log(light / start * _shift(picture, composite, mask))
    return cv2.resize(ratio.clip(-_LARGEST_RATIO, _LARGEST_RATIO), size_of(mask))


def scene_ratio(
    scene_light: np.ndarray,
    picture_ratio: np.ndarray,
    composite: np.ndarray,
    mask: np.ndarray,
    sigma: float,
    share: float,
) -> np.ndarray:
    """R of the scene's light (scene_light.py), with a share of the shading of the model's picture.

    scene_light: log E over the crop, in cells. picture_ratio: R of the picture.
    The others are as in `light_ratio`.
    """
    weight = mask + np.float32(_OUTSIDE_WEIGHT)
    around = _coarser(weight, _MEAN * sigma)
    weights = cv2.merge([weight * np.float32(1 / 255)] * 3)
    mean = _coarser(composite.astype(np.float32) * weights, _MEAN * sigma) / cv2.merge([around] * 3)
    ratio = cv2.resize(on_code_values(scene_light, mean, FLOOR), size_of(mask))
    if share:
        total = (picture_ratio * weight[..., None]).sum(axis=(0, 1)) / weight.sum()
        ratio += np.float32(share) * (picture_ratio - total.astype(np.float32))
    return ratio.clip(-_LARGEST_RATIO, _LARGEST_RATIO)


def with_detail(
    ratio: np.ndarray, composite: np.ndarray, masks: Sequence[np.ndarray], sigma: float, gain: float
) -> np.ndarray:
    """R + (γ − 1) · T, (h, w, 3) float32; a T close to `_NOISE` has less weight.

    composite: BGR. gain: γ. masks: of each garment, (h, w) float32, its coverage in 0…1: where a white shirt
        meets a black jacket, each is compared with its own cloth. sigma: as in `light_ratio`.
    """
    if gain == 1:
        return ratio
    grey = cv2.cvtColor(composite, cv2.COLOR_BGR2GRAY).astype(np.float32) * np.float32(1 / 255)
    grey += np.float32(FLOOR)
    weights = [mask + np.float32(_OUTSIDE_WEIGHT) for mask in masks]
    means = [_local_mean(grey, weight, _FOLDS * sigma) for weight in weights]
    mean = means[0]
    if len(means) > 1:
        mean = sum(w * m for w, m in zip(weights, means, strict=True)) / sum(weights)
    detail = cv2.log(grey / mean)
    energy = detail * detail
    detail *= (gain - 1) * energy / (energy + np.float32(_NOISE**2))
    return ratio + cv2.merge([detail.clip(-_LARGEST_DETAIL, _LARGEST_DETAIL)] * 3)


def _local_mean(grey: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.resize(_coarser(grey * weight, sigma) / _coarser(weight, sigma), size_of(grey))


def _coarser(values: np.ndarray, sigma: float) -> np.ndarray:
    """G_σ of `values`, on a copy as small as `_SIGMA` allows."""
    step = max(1, int(sigma / _SIGMA))
    size = tuple(max(1, side // step) for side in size_of(values))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), sigma / step)


def _shift(picture: np.ndarray, composite: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """1 / s, (3,) float32."""
    untouched = cv2.erode((mask < 0.02).view(np.uint8), np.ones((9, 9), np.uint8)).ravel()
    some = np.flatnonzero(untouched)[::32]
    if len(some) < 0.02 / 32 * mask.size:
        return np.ones(3, np.float32)
    colours = np.hstack([p.reshape(-1, 3)[some] for p in (composite, picture)])
    before, after = np.split(np.median(colours, axis=0).astype(np.float32) / 255 + FLOOR, 2)
    return before / after


def steadied(ratio: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """The earlier light, limited to R ± its slack: a deadband around R.

    ratio: (h, w, 3) float32, R.
    earlier: (h, w, 4) float32: the last keyframe's light, moved to this crop, and the slack, which is 0 where
        the light is unknown; (1, 1, 4) of zeros if there is none.
    """
    light, slack = earlier[:, :, :3], earlier[:, :, 3:]
    return np.clip(light, ratio - slack, ratio + slack) if slack.any() else ratio


def relight(
    composite: np.ndarray, ratio: np.ndarray, mask: np.ndarray, result: np.ndarray | None = None
) -> np.ndarray:
    """C + m · C · (exp(ratio) − 1), with the ratio resized to the composite's size: (H, W, 3) uint8.

    composite: (H, W, 3) uint8. mask: (H, W) uint8; where it is 0 the composite stays unchanged, bit for bit.
    result: a copy of the composite that is written to; by default a new one.
    """
    result = composite.copy() if result is None else result
    # Resizing 16-bit integers takes half the time of float32.
    change = ((cv2.exp(ratio) - 1) * np.float32(_ONE)).astype(np.int16)
    change = cv2.resize(change, size_of(composite), interpolation=cv2.INTER_LINEAR)
    x, y, width, height = cv2.boundingRect(mask)
    for rows in strips(y, y + height):
        part = np.s_[rows, x : x + width]
        start = composite[part].astype(np.float32)
        lit = start + np.float32(255 * FLOOR)
        lit *= cv2.merge([mask[part]] * 3).astype(np.float32)
        lit *= change[part].astype(np.float32)
        lit = cv2.scaleAdd(lit, 1 / 255 / _ONE, start)
        result[part] = cv2.convertScaleAbs(cv2.threshold(lit, 0, 0, cv2.THRESH_TOZERO)[1])
    return result
