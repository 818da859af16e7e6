"""The garment of one request as a picture of its own, decoded only when a family needs it."""

import asyncio
import hashlib
from collections.abc import Mapping

import numpy as np

from pipeline.garment.garment_picture import WHITE, Colour, garment_picture, is_given


class GarmentSource:
    """
    photo: a picture of the garment alone, as compressed bytes, (N,) uint8; one byte means that there is none.
    render: the other arguments of `garment_picture`: what it takes where there is no photo.
    background: what is transparent becomes this colour, (red, green, blue).
    """

    def __init__(self, photo: np.ndarray, render: Mapping[str, np.ndarray], background: Colour = WHITE):
        self._photo = photo
        self._render = render
        self._background = background
        self._picture: np.ndarray | None = None

    @property
    def is_photo(self) -> bool:
        return is_given(self._photo)

    async def key(self) -> str:
        """A hash of the garment's content: equal garments have equal keys.

        A photo is not decoded for it. A render is: its canvas is another one in every keyframe, and only what
        is cut out of it may be the same.
        """
        content = self._photo if self.is_photo else await self.picture()
        return await asyncio.to_thread(_hash, content, self._background)

    async def picture(self) -> np.ndarray:
        """(h, w, 3) RGB uint8. Raises NotAnImage and InvalidInput."""
        if self._picture is None:
            self._picture = await asyncio.to_thread(
                garment_picture, self._photo, **self._render, background=self._background
            )
        return self._picture


def _hash(data: np.ndarray, background: Colour) -> str:
    digest = hashlib.sha256(repr((data.shape, background)).encode())
    digest.update(np.ascontiguousarray(data).data)
    return digest.hexdigest()
