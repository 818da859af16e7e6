"""The cloth of a tile as even light would show it: its light, its contrast and its noise of colour.

All three corrections vary more slowly than pixels. They are made at half the resolution, together, and the
tile itself is read and written once.
"""

import cv2
import numpy as np

from fabric.chroma import excess
from fabric.light import Gain, contrast_gain
from fabric.shrink import halved

_DARKEST = 1e-3  # of white; the noise of what is darker is no share of it

Array = np.ndarray


def evened(
    linear: Array, gain: Gain | None = None, contrast: float = 0.0, half: Array | None = None
) -> Array:
    """`linear` (H, W, 3) float32 in even light, with a little more contrast and less noise of colour.

    gain: None leaves the light as it is. contrast: strength of the local contrast, 0 leaves it.
    half: `linear`, halved, where that is at hand.
    """
    height, width = linear.shape[:2]
    hard = gain is not None and gain.is_hard(max(height, width))
    if gain and gain.shadow and hard:
        linear, half = cv2.multiply(linear, gain.shadow.gain(height, width, gain.strength)), None
    half = halved(linear) if half is None else half
    rows, columns = half.shape[:2]
    factor = gain.of(rows, columns) if gain else np.ones_like(half)
    if gain and gain.shadow and not hard:
        cv2.multiply(factor, gain.shadow.gain(rows, columns, gain.strength), dst=factor)
    if contrast:
        more = contrast_gain(cv2.multiply(half, factor), contrast)
        cv2.multiply(factor, cv2.merge([more] * 3), dst=factor)
    even = cv2.multiply(half, factor)
    # The noise as a share, so that it is one factor together with the light's: one picture less to enlarge.
    share = cv2.divide(excess(even), np.maximum(even, _DARKEST))
    cv2.multiply(factor, np.maximum(1 - share, 0), dst=factor)
    factor = cv2.resize(factor, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(linear, factor, dst=factor)
