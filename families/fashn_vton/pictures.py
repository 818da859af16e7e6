"""Pictures as the network takes them: shrunk, laid on black in the network's size, −1…1.

Each step is upstream's, to the pixel: Pillow's Lanczos first, then OpenCV.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image
from torch import Tensor

from pipeline.resize import size_of

Size = tuple[int, int]  # width, height, as OpenCV has them


def shrunk(picture: np.ndarray, longest: int) -> np.ndarray:
    """`picture`, (H, W, 3) uint8, with sides of at most `longest` pixels; a smaller one is unchanged."""
    width, height = size_of(picture)
    scale = min(longest / width, longest / height)
    if scale >= 1:
        return picture
    size = max(1, int(scale * width)), max(1, int(scale * height))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


@dataclass(frozen=True)
class Letterbox:
    """How a picture lies in the network's: resized to `inner`, with black borders around it.

    left, top: of the picture. outer, inner: (width, height).
    """

    left: int
    top: int
    inner: Size
    outer: Size

    @classmethod
    def of(cls, size: Size, outer: Size) -> "Letterbox":
        """A picture of `size` in one of size `outer`: as large as it goes, in the middle."""
        scale = min(outer[0] / size[0], outer[1] / size[1])
        inner = max(1, int(scale * size[0])), max(1, int(scale * size[1]))
        return cls((outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2, inner, outer)

    def lay(self, picture: np.ndarray) -> np.ndarray:
        """A photo, (h, w, 3) uint8 → (H, W, 3)."""
        enlarges = self.inner[0] > picture.shape[1] or self.inner[1] > picture.shape[0]
        return self._bordered(self._resized(picture, cv2.INTER_LANCZOS4 if enlarges else cv2.INTER_AREA))

    def lay_drawing(self, drawing: np.ndarray) -> np.ndarray:
        """A drawing, whose greys have meanings, so that none may be mixed: (h, w) uint8 → (H, W)."""
        return self._bordered(self._resized(drawing, cv2.INTER_NEAREST_EXACT))

    def cut(self, picture: Tensor) -> Tensor:
        """(…, H, W) → the part without the borders."""
        width, height = self.inner
        return picture[..., self.top : self.top + height, self.left : self.left + width]

    def _resized(self, picture: np.ndarray, interpolation: int) -> np.ndarray:
        if size_of(picture) == self.inner:
            return picture
        return cv2.resize(picture, self.inner, interpolation=interpolation)

    def _bordered(self, picture: np.ndarray) -> np.ndarray:
        right = self.outer[0] - self.left - self.inner[0]
        bottom = self.outer[1] - self.top - self.inner[1]
        return cv2.copyMakeBorder(picture, self.top, bottom, self.left, right, cv2.BORDER_CONSTANT, value=0)


def to_tensor(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) or (H, W) uint8 → (3, H, W) or (1, H, W) float32 in −1…1."""
    channels = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
    return np.ascontiguousarray(channels, np.float32) / np.float32(127.5) - 1
