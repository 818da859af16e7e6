"""Compressed pictures to arrays."""

import cv2
import numpy as np

from pipeline.resize import size_of


class NotAnImage(ValueError):
    """The bytes are no picture that OpenCV can read."""


def decode_frame(data: np.ndarray) -> np.ndarray:
    """A camera frame's bytes, (N,) uint8 → (H, W, 3) BGR uint8, turned as its EXIF says."""
    return _decode(data, cv2.IMREAD_COLOR, "camera_frame")


def decode_render(data: np.ndarray) -> np.ndarray:
    """A render's bytes, (N,) uint8 → (H, W, 4) BGRA uint8; (H, W, 3) BGR where the file has no alpha."""
    render = _decode(data, cv2.IMREAD_UNCHANGED, "jacket_render")
    if render.dtype == np.uint16:
        render = (render >> 8).astype(np.uint8)
    return cv2.cvtColor(render, cv2.COLOR_GRAY2BGR) if render.ndim == 2 else render


def largest_channel(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 → (H, W); NumPy's `max(axis=2)` takes ten times as long."""
    blue, green, red = cv2.split(picture)
    return cv2.max(cv2.max(blue, green), red)


def decode_mask(data: np.ndarray) -> np.ndarray:
    """A mask's bytes, (N,) uint8 → (h, w) uint8: white where the garment is."""
    return _decode(data, cv2.IMREAD_GRAYSCALE, "mask")


def cut_out(render: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The render, (h, w, 3) or (h, w, 4), only where `mask`, stretched over it, is white: (h, w, 4)."""
    *colour, alpha = cv2.split(render if render.shape[2] == 4 else cv2.cvtColor(render, cv2.COLOR_BGR2BGRA))
    return cv2.merge([*colour, cv2.min(alpha, cv2.resize(mask, size_of(alpha)))])


def _decode(data: np.ndarray, flags: int, name: str) -> np.ndarray:
    try:
        picture = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:
        picture = None
    if picture is None:
        raise NotAnImage(f"{name} is not an image: JPEG, PNG and WebP are read")
    return picture
