"""The garment's picture as IDM-VTON's networks see it: the whole of it, squeezed to their size."""

import numpy as np
from PIL import Image

# The image encoder's picture, in pixels, and CLIP's statistics of the three channels.
SIDE = 224
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def squeezed(picture: np.ndarray, resolution: tuple[int, int]) -> np.ndarray:
    """(h, w, 3) RGB uint8 at the resolution (height, width), whatever its aspect was."""
    return np.asarray(Image.fromarray(picture).resize(resolution[::-1], Image.Resampling.BICUBIC))


def pixels(picture: np.ndarray) -> np.ndarray:
    """The VAE encoder's input: (H, W, 3) RGB uint8 → (1, 3, H, W) float32, −1…1."""
    # Contiguous: on another layout, torch's group norm loses three digits in flat areas.
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / 127.5 - 1


def as_picture(seen: np.ndarray) -> np.ndarray:
    """The opposite of `pixels` for one picture: (3, H, W) float32, −1…1 → (H, W, 3) RGB uint8."""
    return np.ascontiguousarray(((seen.transpose(1, 2, 0) + 1) * 127.5).round().astype(np.uint8))


def pixel_values(picture: np.ndarray) -> np.ndarray:
    """The image encoder's input, (2, 3, 224, 224) float32: zeros for the unconditional row, and the garment,
    whose middle square CLIP sees."""
    height, width = picture.shape[:2]
    scale = SIDE / min(height, width)
    size = (max(SIDE, int(width * scale)), max(SIDE, int(height * scale)))
    scaled = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    square = np.asarray(scaled.crop((left, top, left + SIDE, top + SIDE)), np.float32) / 255
    values = ((square - _MEAN) / _STD).transpose(2, 0, 1)
    return np.ascontiguousarray(np.stack([np.zeros_like(values), values]))
