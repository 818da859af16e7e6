"""Small pictures of a job under way, made beside its steps.

A preview is the real pipeline's: the clean latents that the scheduler predicts so far are decoded and
pasted, into a small copy of the frame. The steps never wait for it; a preview that is ready goes out with
the next step's progress.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import cv2
import numpy as np

SIDE = 384  # pixels of a preview's long side


class Previews:
    """At most one is being made at a time.

    interval: steps from one to the next.
    make: latents to a picture.
    """

    def __init__(self, interval: int, make: Callable[[Any], Awaitable[Any]]):
        self._interval = interval
        self._make = make
        self._making: asyncio.Future[Any] | None = None

    def begin(self, step: int, steps: int, latents: Any) -> None:
        """Have one made where it is due after `step`; the last step's is the answer itself."""
        if self._making is None and step % self._interval == 0 and step < steps:
            self._making = asyncio.ensure_future(self._make(latents))

    def take(self) -> Any | None:
        """The picture that is ready, once; None where there is none, or its making failed."""
        if self._making is None or not self._making.done():
            return None
        making, self._making = self._making, None
        return None if making.exception() else making.result()


def shrink(
    composite: np.ndarray, mask: np.ndarray, crop: np.ndarray, side: int = SIDE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Composite (h, w, 3), mask (h, w) and crop (x, y, width, height) on a frame of that long side.

    A frame that is smaller stays as it is.
    """
    height, width = mask.shape
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return composite, mask, crop
    shrunk = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (composite, mask)]
    return shrunk[0], shrunk[1], np.rint(crop * scale).astype(crop.dtype)
