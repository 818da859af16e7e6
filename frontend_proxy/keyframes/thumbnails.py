"""Small versions of a camera frame and a render, to compare scenes. Runs in the worker process."""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.pictures.decoding import decode_small, decode_with_alpha

GRID = (32, 18)  # width and height in cells; a cell is 40×40 pixels of a 1280×720 frame
# Stands for the render where there is none. It is opaque: only the model knows where it paints.
NO_RENDER = np.full((*GRID[::-1], 4), (0, 0, 0, 255), np.float32)


@dataclass(frozen=True)
class Thumbnails:
    """frame: (18, 32, 3) float32, BGR, 0 to 255. render: (18, 32, 4) float32, BGRA, premultiplied."""

    frame: np.ndarray
    render: np.ndarray

    @property
    def garment(self) -> np.ndarray:
        """(18, 32) bool: the cells that the garment touches, and their neighbours.

        All cells if the render is opaque: only the model can find the jacket in it.
        """
        return cv2.dilate((self.render[:, :, 3] > 1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def frame_thumbnail(camera_frame: bytes) -> np.ndarray:
    """`Thumbnails.frame`. Raises ValueError if the frame cannot be decoded.

    The mean over a cell removes a webcam's noise, but not a shift of an edge by one or two pixels.
    """
    return _cells(decode_small(camera_frame))


def render_thumbnail(*renders: bytes) -> np.ndarray:
    """`Thumbnails.render`, of several from the lowest to the highest. Raises ValueError if one cannot be
    decoded."""
    over, *others = map(_thumbnail, renders)
    for higher in others:
        over = higher + over * (1 - higher[:, :, 3:] / 255)
    return over


def _thumbnail(jacket_render: bytes) -> np.ndarray:
    render = decode_with_alpha(jacket_render)
    if render.shape[2] == 3:
        render = cv2.cvtColor(render, cv2.COLOR_BGR2BGRA)
    return _cells(cv2.cvtColor(render, cv2.COLOR_RGBA2mRGBA))  # premultiplied; BGR order is kept


def _cells(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, GRID, interpolation=cv2.INTER_AREA).astype(np.float32)
