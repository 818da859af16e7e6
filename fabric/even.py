"""The cloth of a tile as even light would show it: its light, its contrast and its noise of colour.

All three corrections vary more slowly than pixels. They are made at half the resolution, together, and the
tile itself is read and written once.
"""

import cv2
import numpy as np

from fabric.chroma import excess
from fabric.light import Gain, contrast_gain
from fabric.shrink import halved

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
    noise = excess(cv2.multiply(half, factor))
    factor, noise = (
        cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in (factor, noise)
    )
    even = cv2.multiply(linear, factor, dst=factor)
    cv2.subtract(even, noise, dst=even)
    flat = even.reshape(height, -1)  # a number is only the first channel's for OpenCV
    cv2.max(flat, 0.0, dst=flat)
    return even
