"""The frame's person and pose as the network takes them."""

from dataclasses import dataclass

import numpy as np

from families.fashn_vton.keypoints import body_points, draw
from families.fashn_vton.pictures import Letterbox, shrunk, to_tensor
from families.fashn_vton.window import window
from pipeline.garment import patch
from pipeline.garment.patch import Box
from pipeline.resize import size_of


@dataclass(frozen=True)
class Person:
    """
    seen: the part of the frame.
    letterbox: how that part lies in the network's picture.
    channels: (4, H, W) float32, −1…1: the photo, RGB, and the drawing of the pose.
    """

    seen: Box
    letterbox: Letterbox
    channels: np.ndarray


def prepare_person(
    frame: np.ndarray,
    mask: np.ndarray,
    landmarks: np.ndarray,
    resolution: tuple[int, int],
    drawing: np.ndarray | None = None,
) -> Person:
    """
    frame: (h, w, 3) BGR uint8. mask: (h, w) uint8, the region to paint.
    landmarks: (33, 4), MediaPipe's; all 0: no pose.
    resolution: (height, width) of the network.
    drawing: (any height, any width) uint8, the client's own drawing of the pose over the whole frame.
    """
    seen = window(mask, resolution)
    photo = shrunk(_rgb(frame[patch.window(seen)]), max(resolution))
    letterbox = Letterbox.of(size_of(photo), resolution[::-1])
    if drawing is None:
        drawing = draw(*body_points(within(landmarks, seen, size_of(frame))), size_of(photo))
    else:
        drawing = drawing[patch.window(_scaled(seen, size_of(frame), size_of(drawing)))]
    channels = to_channels(letterbox.lay(photo), letterbox.lay_drawing(drawing))
    return Person(seen, letterbox, channels)


def to_channels(photo: np.ndarray, drawing: np.ndarray) -> np.ndarray:
    """A photo (H, W, 3) RGB and the pose in it (H, W), uint8 → (4, H, W) float32."""
    return np.concatenate([to_tensor(photo), to_tensor(drawing)])


def laid_on(letterbox: Letterbox, seen: Box, frame: np.ndarray) -> np.ndarray:
    """The part of another picture of the frame's size, (h, w, 3) BGR uint8, as the photo lies: (3, H, W)."""
    return to_tensor(letterbox.lay(_rgb(frame[patch.window(seen)])))


def within(landmarks: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """The landmarks as shares of `box` instead of the whole frame of `size` (width, height)."""
    moved = landmarks.astype(np.float64)
    moved[:, :2] = (moved[:, :2] * size - box[:2]) / box[2:]
    return moved


def _scaled(box: Box, size: tuple[int, int], other: tuple[int, int]) -> Box:
    """`box` of a picture of `size` on one of size `other`."""
    x, y, width, height = box
    left, right = (round(it * other[0] / size[0]) for it in (x, x + width))
    top, bottom = (round(it * other[1] / size[1]) for it in (y, y + height))
    left, top = min(left, other[0] - 1), min(top, other[1] - 1)
    return left, top, max(1, right - left), max(1, bottom - top)


def _rgb(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[..., ::-1])
