"""A try-on's pictures: decoded, with errors that name them, and cut out by a mask."""

from collections.abc import Callable

import cv2
import numpy as np

from pipeline.errors import InvalidInput, NotAnImage
from pipeline.pictures.decoding import NotAPicture, decode_grey, decode_opaque, decode_with_alpha
from pipeline.resize import size_of

# In pixels. OpenCV's warps take sides below 32,768, and a crop may be a little longer than its frame.
LONGEST_SIDE = 16_384


def decode_frame(data: np.ndarray) -> np.ndarray:
    """Decodes a camera frame: (N,) uint8 → (H, W, 3) BGR uint8, over white where it is transparent.

    Like the other decoders it raises NotAnImage, and InvalidInput for a side over `LONGEST_SIDE`.
    """
    return _decode(data, decode_opaque, "camera_frame")


def decode_render(data: np.ndarray, name: str = "jacket_render") -> np.ndarray:
    """Decodes a render: (N,) uint8 → (H, W, 4) BGRA uint8; (H, W, 3) BGR where the file has no alpha."""
    return _decode(data, decode_with_alpha, name)


def decode_garment(data: np.ndarray) -> np.ndarray:
    """Decodes a catalog photo of the garment: (N,) uint8 → as `decode_render`."""
    return _decode(data, decode_with_alpha, "garment_image")


def decode_mask(data: np.ndarray) -> np.ndarray:
    """Decodes a client's mask: (N,) uint8 → (h, w) uint8, white where the garment is."""
    return _decode(data, decode_grey, "client_mask")


def decode_pose_image(data: np.ndarray, name: str = "pose_image") -> np.ndarray:
    """Decodes a client's drawing of a pose: (N,) uint8 → (h, w, 3) BGR uint8. name: for the error."""
    return _decode(data, decode_opaque, name)


def cut_out(render: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`render`, (h, w, 3) or (h, w, 4), with what is not white in `mask` made transparent: (h, w, 4).

    mask: (any height, any width) uint8; it is stretched over the render.
    """
    cut = render.copy() if render.shape[2] == 4 else cv2.cvtColor(render, cv2.COLOR_BGR2BGRA)
    alpha = cv2.min(cv2.extractChannel(cut, 3), cv2.resize(mask, size_of(cut)))
    return cv2.insertChannel(alpha, cut, 3)


def largest_channel(picture: np.ndarray) -> np.ndarray:
    """Each pixel's largest channel, (H, W, 3) uint8 → (H, W), in a tenth of the time of `max(axis=2)`."""
    blue, green, red = cv2.split(picture)
    return cv2.max(cv2.max(blue, green), red)


def _decode(data: np.ndarray, decode: Callable[[bytes], np.ndarray], name: str) -> np.ndarray:
    try:
        picture = decode(data.tobytes())
    except NotAPicture as error:
        raise NotAnImage(f"{name} is not an image that can be read: {error}") from error
    width, height = size_of(picture)
    if max(width, height) > LONGEST_SIDE:
        raise InvalidInput(
            f"{name} is {width}×{height} pixels; scale it down to at most {LONGEST_SIDE} on its longer side"
        )
    return picture
