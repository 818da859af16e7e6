"""A mask of a small part of the frame, so that nothing is worked out for the rest of it."""

from dataclasses import dataclass

import numpy as np

from pipeline.resize import size_of

Box = tuple[int, int, int, int]  # x, y, width, height in pixels of the frame


@dataclass(frozen=True)
class Patch:
    """mask: (h, w) uint8, 0 or 1, its upper left corner at `x`, `y` of the frame; 0 beyond it."""

    x: int
    y: int
    mask: np.ndarray

    @property
    def box(self) -> Box:
        return self.x, self.y, *size_of(self.mask)

    def within(self, box: Box) -> np.ndarray:
        """What lies in `box`: (h, w) uint8."""
        x, y, width, height = box
        left, right = max(x, self.x), min(x + width, self.x + self.mask.shape[1])
        top, bottom = max(y, self.y), min(y + height, self.y + self.mask.shape[0])
        seen = np.zeros((height, width), np.uint8)
        if left < right and top < bottom:
            part = self.mask[top - self.y : bottom - self.y, left - self.x : right - self.x]
            seen[top - y : bottom - y, left - x : right - x] = part
        return seen


def with_room(box: Box, room: int, size: tuple[int, int]) -> Box:
    """`box` and `room` pixels around it, as far as they are in a frame of `size` (width, height)."""
    x, y, width, height = box
    left, top = max(0, x - room), max(0, y - room)
    return left, top, min(size[0], x + width + room) - left, min(size[1], y + height + room) - top


def window(box: Box) -> tuple[slice, slice]:
    x, y, width, height = box
    return np.s_[y : y + height, x : x + width]
