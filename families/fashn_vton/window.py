"""The part of the frame that the network sees."""

import cv2
import numpy as np

from pipeline.garment.patch import Box
from pipeline.resize import size_of

# Room beside the region to paint, as a share of its width.
_ROOM = 0.1


def window(mask: np.ndarray, resolution: tuple[int, int]) -> Box:
    """An upright frame as a whole, as the network was trained. Of a wide one, such as a webcam's, the upright
    part around the region to paint, since the person would be tiny in the whole.

    mask: (H, W) uint8, the region. resolution: (height, width).
    """
    width, height = size_of(mask)
    if width <= height:
        return 0, 0, width, height
    x, _, region, _ = cv2.boundingRect(mask)
    wide = min(width, round(max(height * resolution[1] / resolution[0], (1 + _ROOM) * region)))
    left = min(max(0, round(x + (region - wide) / 2)), width - wide)
    return left, 0, wide, height
