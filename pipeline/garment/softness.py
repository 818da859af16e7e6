"""Makes a render as soft as a camera's picture.

A renderer draws each pixel separately, while a camera's lens, sensor and codec blur its picture. A render
with the frame's resolution is several times as sharp as the frame, and looks pasted on.
"""

import cv2
import numpy as np

# In pixels of the frame; less than a webcam's blur, so that most of the cloth's detail is kept.
_SIGMA = 0.475
# A canvas that is enlarged by more than this factor is softened enough by the interpolation.
_ENLARGED = 1.02


def soften(laid: np.ndarray, scale: float) -> np.ndarray:
    """`laid` with a camera's softness.

    laid: the render placed on the frame, (H, W, C) uint8, its colours premultiplied.
    scale: pixels of the frame per pixel of the canvas.
    """
    return laid if scale > _ENLARGED else cv2.GaussianBlur(laid, (3, 3), _SIGMA)
