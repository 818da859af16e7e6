"""The model's light on the render's detail.

A small model paints the scene's light well and the cloth's detail badly; the render has the detail and no
light. So of the model's picture D only what is coarser than σ is taken, as a ratio to the composite C that
it started from:

    R = log( G_σ[m · D / s] / G_σ[m · C] )       within the garment, m its mask
    T = log( Y / G_3σ[m · Y] )                   Y the brightness of C: folds and threads
    answer = C + m · C · (exp(R + (γ − 1) · T) − 1)            at the frame's resolution

γ is the detail's gain: above 1 folds are deeper than the neutral light of a render shows them. All means
are over the garment alone, so that nothing bleeds in from outside (masked filtering: Knutsson and Westin,
"Normalized and differential convolution", CVPR 1993); they are means of values, not of logarithms, since
what the autoencoder blurs keeps its mean. s is what it does to colours everywhere, measured where the model
was to change nothing.

Within a session the light of the keyframe before is kept where R agrees with it (tryon's lights.py).
"""

import cv2
import numpy as np

from pipeline.resize import size_of

# Added to values in 0…1 before they are divided: below it there is only noise.
_FLOOR = 0.04
# How much wider than the light's finest parts folds may be.
_FOLDS = 3
# Detail that is weaker than this, as a share of the brightness, is a codec's noise and keeps its strength.
_NOISE = 0.02
# A weight of the pixels beyond the garment, so that there is always a mean.
_SOME = 1e-4
# Rows of the frame that are worked on at a time: so many stay in the processor's cache.
_STRIP = 64
# In pixels: a Gaussian wider than twice this is taken on a smaller copy, which changes the answer by less
# than half a grey level.
_SIGMA = 1.5
# 1, in 16 bits: so that what both of these make of it is, too.
_ONE = 4096
# A garment's light is within these factors of the render's, and its detail changes it by at most these.
_LARGEST_RATIO = np.log(4.0)
_LARGEST_DETAIL = np.log(1.9)
# An `earlier_light` that says nothing; see `steadied`.
NO_LIGHT = np.zeros((1, 1, 4), np.float32)


def light_ratio(picture: np.ndarray, composite: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """R, (h, w, 3) float32, at the model's resolution.

    picture: (h, w, 3) uint8, what the model made.
    composite: (h, w, 3) uint8, what it started from.
    mask: (h, w) float32, the garment's coverage in 0…1.
    sigma: in pixels at this resolution.
    """
    weight = mask + np.float32(_SOME)
    weights = cv2.merge([weight * np.float32(1 / 255)] * 3)
    floor = cv2.merge([_FLOOR * _coarser(weight, sigma)] * 3)
    light, start = (_coarser(p.astype(np.float32) * weights, sigma) + floor for p in (picture, composite))
    ratio = cv2.log(light / start * _shift(picture, composite, mask))
    return cv2.resize(ratio.clip(-_LARGEST_RATIO, _LARGEST_RATIO), size_of(mask))


def with_detail(
    ratio: np.ndarray, composite: np.ndarray, mask: np.ndarray, sigma: float, gain: float
) -> np.ndarray:
    """R + (γ − 1) · T, (h, w, 3) float32; a T that is hardly above `_NOISE` counts less.

    composite: BGR. gain: γ. The others are as in `light_ratio`.
    """
    if gain == 1:
        return ratio
    weight, grey = mask + np.float32(_SOME), cv2.cvtColor(composite, cv2.COLOR_BGR2GRAY)
    grey = grey.astype(np.float32) * np.float32(1 / 255) + np.float32(_FLOOR)
    mean = _coarser(grey * weight, _FOLDS * sigma) / _coarser(weight, _FOLDS * sigma)
    detail = cv2.log(grey / cv2.resize(mean, size_of(mask)))
    energy = detail * detail
    detail *= (gain - 1) * energy / (energy + np.float32(_NOISE**2))
    return ratio + cv2.merge([detail.clip(-_LARGEST_DETAIL, _LARGEST_DETAIL)] * 3)


def _coarser(values: np.ndarray, sigma: float) -> np.ndarray:
    """G_σ, on a copy that is as small as `_SIGMA` allows."""
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
    before, after = np.split(np.median(colours, axis=0).astype(np.float32) / 255 + _FLOOR, 2)
    return before / after


def steadied(ratio: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """The earlier light wherever it is within its slack of R, and else as near to it as that.

    ratio: (h, w, 3) float32, R.
    earlier: (h, w, 4) float32, the light of the keyframe before as it would lie here, and the slack, 0 where
        nothing is known of it; (1, 1, 4) of zeros: nowhere.
    """
    light, slack = earlier[:, :, :3], earlier[:, :, 3:]
    return np.clip(light, ratio - slack, ratio + slack) if slack.any() else ratio


def relight(
    composite: np.ndarray, ratio: np.ndarray, mask: np.ndarray, result: np.ndarray | None = None
) -> np.ndarray:
    """C + m · C · (exp(ratio) − 1), the ratio resized to the composite's size: (H, W, 3) uint8.

    composite: (H, W, 3) uint8. mask: (H, W) uint8; where it is 0 the composite stays bit for bit.
    result: a copy of the composite to write to.
    """
    result = composite.copy() if result is None else result
    # In 16 bits it is resized in half the time.
    change = ((cv2.exp(ratio) - 1) * np.float32(_ONE)).astype(np.int16)
    change = cv2.resize(change, size_of(composite), interpolation=cv2.INTER_LINEAR)
    x, y, width, height = cv2.boundingRect(mask)
    for top in range(y, y + height, _STRIP):
        part = np.s_[top : min(top + _STRIP, y + height), x : x + width]
        start = composite[part].astype(np.float32)
        lit = start + np.float32(255 * _FLOOR)
        lit *= cv2.merge([mask[part]] * 3).astype(np.float32)
        lit *= change[part].astype(np.float32)
        lit = cv2.scaleAdd(lit, 1 / 255 / _ONE, start)
        result[part] = cv2.convertScaleAbs(cv2.threshold(lit, 0, 0, cv2.THRESH_TOZERO)[1])
    return result
