"""The garment's picture as CatVTON sees it: the whole of it, on white."""

import numpy as np
from PIL import Image

WHITE = 255


def fitted(picture: np.ndarray, resolution: tuple[int, int]) -> np.ndarray:
    """As large as it fits into the resolution, in its middle, on white.

    picture: (h, w, 3) RGB uint8. resolution: (height, width).
    Returns the VAE encoder's input, (1, 3, H, W) float32, −1…1.
    """
    height, width = resolution
    own_height, own_width = picture.shape[:2]
    if own_width * height < own_height * width:
        size = (max(1, own_width * height // own_height), height)
    else:
        size = (width, max(1, own_height * width // own_width))
    scaled = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
    canvas = np.full((height, width, 3), WHITE, np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas[top : top + size[1], left : left + size[0]] = scaled
    # Contiguous: on another layout, torch's group norm loses three digits in flat areas.
    return np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32) / 127.5 - 1
