"""As soft as a camera's picture.

A renderer draws each pixel by itself; lens, sensor and codec blur a camera's. A render that lies on a frame
pixel for pixel is several times as sharp as the frame, and looks pasted on.
"""

import cv2
import numpy as np

# In pixels of the frame. Less than a webcam's blur, so that most of the cloth's detail is kept.
_SIGMA = 0.475
# A canvas that is enlarged by more than this is as soft by the interpolation.
_ENLARGED = 1.02


def soften(laid: np.ndarray, scale: float) -> np.ndarray:
    """`laid`, a render as it lies on the frame (H, W, C) uint8, its colours premultiplied.

    scale: pixels of the frame for one of the canvas.
    """
    return laid if scale > _ENLARGED else cv2.GaussianBlur(laid, (3, 3), _SIGMA)
