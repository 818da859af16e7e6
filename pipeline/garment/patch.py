"""A mask of a small part of the frame, so that nothing is computed for the rest."""

from dataclasses import dataclass

import numpy as np

from pipeline.resize import size_of

Box = tuple[int, int, int, int]  # x, y, width, height in pixels of the frame


@dataclass(frozen=True)
class Patch:
    """mask: (h, w) uint8, 0 or 1, with its upper left corner at `x`, `y` of the frame; 0 everywhere else."""

    x: int
    y: int
    mask: np.ndarray

    @property
    def box(self) -> Box:
        return self.x, self.y, *size_of(self.mask)

    def within(self, box: Box) -> np.ndarray:
        """The mask over the area of `box`: (h, w) uint8."""
        seen = np.zeros((box[3], box[2]), np.uint8)
        self.add_to(seen, box)
        return seen

    def add_to(self, seen: np.ndarray, box: Box) -> None:
        """Draws the mask on `seen`, (h, w) uint8, which lies over the area of `box`."""
        x, y, width, height = box
        left, right = max(x, self.x), min(x + width, self.x + self.mask.shape[1])
        top, bottom = max(y, self.y), min(y + height, self.y + self.mask.shape[0])
        if left < right and top < bottom:
            part = self.mask[top - self.y : bottom - self.y, left - self.x : right - self.x]
            seen[top - y : bottom - y, left - x : right - x] |= part


def with_room(box: Box, room: int, size: tuple[int, int]) -> Box:
    """`box` enlarged by `room` pixels on every side and clipped to a frame of `size` (width, height).

    Width or height is 0 where nothing of it lies in the frame.
    """
    x, y, width, height = box
    left, right = (min(max(0, side), size[0]) for side in (x - room, x + width + room))
    top, bottom = (min(max(0, side), size[1]) for side in (y - room, y + height + room))
    return left, top, right - left, bottom - top


def window(box: Box) -> tuple[slice, slice]:
    """The index of `box` in an array of the frame's size."""
    x, y, width, height = box
    return np.s_[y : y + height, x : x + width]
