"""Small pictures of a job in progress, made while its steps go on.

A preview comes from the real pipeline: the clean latents that the scheduler has predicted so far are decoded
and pasted into a small copy of the frame. The steps never wait for it; a preview that is ready is sent with
the progress of the next step.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import cv2
import numpy as np

SIDE = 384  # pixels of a preview's long side


class Previews:
    """Makes one preview at a time.

    interval: steps from one preview to the next.
    make: turns latents into a picture.
    """

    def __init__(self, interval: int, make: Callable[[Any], Awaitable[Any]]):
        self._interval = interval
        self._make = make
        self._making: asyncio.Future[Any] | None = None

    def begin(self, step: int, steps: int, latents: Any) -> None:
        """Start a preview if one is due after `step`. The last step needs none: its picture is the answer."""
        if self._making is None and step % self._interval == 0 and step < steps:
            self._making = asyncio.ensure_future(self._make(latents))

    def take(self) -> Any | None:
        """The picture that is ready, once. None if there is none, or if making it failed."""
        if self._making is None or not self._making.done():
            return None
        making, self._making = self._making, None
        return None if making.cancelled() or making.exception() else making.result()


def shrink(
    composite: np.ndarray, mask: np.ndarray, crop: np.ndarray, side: int = SIDE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Composite (h, w, 3), mask (h, w) and crop (x, y, width, height) for a frame of that longer side.

    A smaller frame keeps its size.
    """
    height, width = mask.shape
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return composite, mask, crop
    shrunk = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (composite, mask)]
    small_crop = np.rint(crop * scale).astype(crop.dtype)
    small_crop[2:] = np.maximum(small_crop[2:], 1)
    return shrunk[0], shrunk[1], small_crop
