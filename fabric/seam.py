"""A square of cloth to a tile that repeats without a visible seam.

Opposite borders overlap, and the picture changes sides along the path where both look most alike:
the minimum error boundary cut of Efros & Freeman, "Image Quilting for Texture Synthesis and Transfer"
(2001), found by dynamic programming. Maps are derived from the finished tile with wrapped borders, so
every map has the same cut.
"""

import cv2
import numpy as np

FEATHER = 3  # pixels on either side of the cut; wider would blur the weave


def make_seamless(image: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """`image` (size + b, size + b, 3) float32, of which the last b rows and columns overlap the first b.

    Returns the tile (size, size, 3) and the mask of the pixels that touch a cut (size, size) bool.
    """
    wide, cut_x = _wrap_columns(image, size, closed=False)
    tall, cut_y = _wrap_columns(np.ascontiguousarray(wide.transpose(1, 0, 2)), size, closed=True)
    mask = cut_x[:size].copy()
    overlap = len(image) - size
    mask[:overlap] |= cut_x[size:]
    return np.ascontiguousarray(tall.transpose(1, 0, 2)), mask | cut_y.T


def settle_border(tile: np.ndarray, cut: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tile, and its mask, rolled so that its border crosses an average step of the weave.

    A seamless tile has no place where it must begin; but JPEG and mipmaps do not know that it wraps, and
    a border in the gap between two threads, the steepest place of all, would show their errors most.
    """
    code = np.sqrt(np.maximum(tile, 0))  # about as the eye, and sRGB, sees steps
    begin = []
    for axis in (0, 1):
        inside = np.abs(np.diff(code, axis=axis)).mean(axis=(1 - axis, 2))
        begin.append(1 + int(np.abs(inside - inside.mean()).argmin()))
    shift = (-begin[0], -begin[1])
    return np.roll(tile, shift, (0, 1)), np.roll(cut, shift, (0, 1))


def boundary_cut(cost: np.ndarray, closed: bool = False) -> np.ndarray:
    """The column of the cheapest top-to-bottom path through `cost` (H, W), one a row: (H,) int.

    A path moves by at most one column a row. A closed one ends in the column where it starts, through
    the cheapest column of the free path's first row, so that it meets itself when the picture wraps.
    """
    if closed:
        start = int(boundary_cut(cost)[0])
        cost = cost.copy()
        fixed = cost[0, start]
        cost[0] = np.inf
        cost[0, start] = fixed
    height, width = cost.shape
    total = np.full((height, width + 2), np.inf, np.float32)
    total[0, 1:-1] = cost[0]
    for row in range(1, height):
        above = total[row - 1]
        best = np.minimum(np.minimum(above[:-2], above[2:]), above[1:-1])
        np.add(cost[row], best, out=total[row, 1:-1])
    path = np.empty(height, np.intp)
    path[-1] = start if closed else total[-1, 1:-1].argmin()
    for row in range(height - 2, -1, -1):
        column = path[row + 1]
        path[row] = column - 1 + total[row, column : column + 3].argmin()
    return path


def _wrap_columns(image: np.ndarray, size: int, closed: bool) -> tuple[np.ndarray, np.ndarray]:
    """`image` (H, size + b, 3) wrapped to (H, size, 3), and the mask of its cut (H, size) bool."""
    overlap = image.shape[1] - size
    left, right = image[:, :overlap], image[:, size:]
    cost = cv2.GaussianBlur(((left - right) ** 2).sum(axis=2), (0, 0), 1.0)
    path = boundary_cut(cost, closed)
    distance = np.arange(overlap) - path[:, None] + 0.5  # right of the cut it is positive: take `left`
    weight = np.clip(distance / (2 * FEATHER) + 0.5, 0, 1).astype(np.float32)
    # At the strip's ends the neighbour is the other picture's own continuation.
    edge = np.minimum(np.arange(overlap), np.arange(overlap)[::-1]) / FEATHER
    hard = (distance > 0).astype(np.float32)
    weight += (hard - weight) * np.clip(1 - edge, 0, 1).astype(np.float32)
    # Tone that varies slowly changes over the whole overlap, so that the cut is no step in it either
    # (Burt & Adelson, "A Multiresolution Spline", 1983, with two bands).
    difference = left - right
    tone = cv2.GaussianBlur(difference, (0, 0), overlap / 8)
    ramp = np.linspace(0, 1, overlap, dtype=np.float32)[:, None]
    tile = image[:, :size].copy()
    tile[:, :overlap] = right + (difference - tone) * weight[..., None] + tone * ramp
    mask = np.zeros(tile.shape[:2], bool)
    mask[:, :overlap] = np.abs(distance) < 1
    return tile, mask
