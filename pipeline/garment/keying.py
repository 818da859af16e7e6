"""Finds the garment on an opaque canvas that shows no video, but one colour behind the garment."""

import cv2
import numpy as np

from pipeline.garment.pictures import largest_channel

# A pixel that differs by more grey levels from the background's colour belongs to the garment.
_ALIKE = 12
# Shares of the canvas' upper edges, where no garment hangs, and of the canvas that must have that colour.
_LEAST_AT_EDGES, _LEAST_AT_ALL = 0.9, 0.1
# A hole up to this share of the garment is a part of it that has the background's colour.
_SMALL_HOLE = 0.01


def keyed(render: np.ndarray) -> np.ndarray | None:
    """The garment's coverage of the canvas, (h, w) uint8; None if there is no such background, or no garment.

    render: (h, w, 3) BGR uint8.
    """
    height, width = render.shape[:2]
    sides = render[: max(1, height // 2), [0, width - 1]].reshape(-1, 3)
    edges = np.concatenate([render[0], sides]).astype(np.int16)
    colour = np.median(edges, axis=0)
    if (np.abs(edges - colour).max(axis=1) <= _ALIKE).mean() < _LEAST_AT_EDGES:
        return None
    difference = largest_channel(cv2.absdiff(render, np.broadcast_to(colour.astype(np.uint8), render.shape)))
    garment = (difference > _ALIKE).view(np.uint8)
    # Opened, since a codec leaves specks; then a pixel smaller, since the edge is mixed with the background.
    garment = cv2.morphologyEx(garment, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    garment = cv2.erode(_without_small_holes(garment), np.ones((3, 3), np.uint8))
    if not garment.any() or garment.mean() > 1 - _LEAST_AT_ALL:
        return None
    return cv2.blur(255 * garment, (3, 3))


def _without_small_holes(garment: np.ndarray) -> np.ndarray:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - garment, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] <= _SMALL_HOLE * np.count_nonzero(garment)
    small[0] = False
    return garment | small.view(np.uint8).take(labels)
