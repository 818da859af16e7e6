"""Roughness from the highlight that the phone's flash throws on the cloth.

The flash is beside the lens, so that a surface mirrors it back where it faces the lens: half-vector and view
are one direction, and over the tile its angle sweeps through the lobe of Trowbridge & Reitz ("GGX"; Walter et
al., "Microfacet Models for Refraction through Rough Surfaces", 2007). What the cloth scatters has the colour
that it has in the room's light; what it mirrors adds to it. Only what falls off from below the lens as such a
lobe does is a highlight: a wide one cannot be told from the flash's own fall-off, and says nothing.
"""

import cv2
import numpy as np

from fabric.flash_relief import View
from fabric.relief import gradient

_CELLS = 16  # along a side: larger than a motif of yarns, smaller than a highlight
_WIDTHS = np.geomspace(0.03, 0.6, 40)  # α
_NARROWEST, _WIDEST = 0.04, 0.47  # α that can be told: the cells are no smaller, and the tile is no larger
_WHITE = 250  # of 255: where the sensor is full
_FULL = 0.1  # the share of such pixels that makes a cell useless
_DARK = 0.05  # of the median: a cell whose colour the room's light does not show
_LEAST_CELLS = 0.7  # of all
_EXPLAINED = 0.6  # of the variation that the lights' own slow courses leave
_LEAST = 0.05  # of the cloth's own light in the middle of the lobe
RELIEF = 1.7  # of the mean square slope: GGX with this α² is half as high at the same angle as those slopes
_MOST_RELIEF = 0.75  # of α²: estimated slopes are not exact

Array = np.ndarray


def lobe_width(room: Array, alone: Array, flash: Array, view: View) -> float | None:
    """α of the highlight's lobe, widened by the cloth's relief; None where none is seen.

    room, alone: (N, N, 3) linear RGB in the room's light and in the flash's alone, in one unit. flash:
    (N, N, 3) uint8, the photo with the flash.
    """
    full = _cells((flash.max(axis=2) >= _WHITE).astype(np.float32)).ravel()
    cloth, seen = np.maximum(_cells(room), 1e-3).reshape(-1, 3), _cells(alone).reshape(-1, 3)
    x, y = _cells(view.towards(len(room))).reshape(-1, 2).T
    good = (full < _FULL) & (cloth > _DARK * np.median(cloth, axis=0)).all(axis=1)
    if good.mean() < _LEAST_CELLS:
        return None
    cloth, seen, x, y = cloth[good], seen[good], x[good], y[good]
    square = x * x + y * y
    reached = (1 + square)[:, None] ** -2  # distance, slant of the light, and the lens' fall-off
    level = np.maximum(np.median(seen / cloth / reached, axis=0), 1e-4)
    # 1 where the flash shows the room's colours; the room's light and the flash's cone vary slowly.
    ratio = seen / cloth / reached / level
    slow = np.linalg.qr(np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y]))[0]
    rest = _without(ratio, slow)
    variation = max(float((rest**2).sum()), 1e-12)
    white = np.median(cloth) * level.mean() / (cloth * level)  # a dark colour shows a highlight more
    best, explained, height = 0.0, 0.0, 0.0
    for alpha in _WIDTHS:
        shine = _without(_lobe(alpha, square)[:, None] * white, slow)
        along = float((shine * rest).sum())
        found = along / max(float((shine**2).sum()), 1e-12)
        if along > 0 and found * along > explained * variation:
            best, explained, height = float(alpha), found * along / variation, found
    is_seen = explained > _EXPLAINED and height > _LEAST and _NARROWEST < best < _WIDEST
    return best if is_seen else None


def roughness_below(alpha: float, height: Array) -> float:
    """glTF's roughness, 0 to 1, of a cloth whose relief (N, N) in pixels widens its lobe to `alpha`.

    The relief is in the normal map, and would otherwise count twice.
    """
    dx, dy = gradient(height)
    slopes = (cv2.norm(dx) ** 2 + cv2.norm(dy) ** 2) / height.size
    square = alpha**2 - min(RELIEF * slopes, _MOST_RELIEF * alpha**2)
    return round(float(square**0.25), 3)  # glTF: α is the roughness' square


def _lobe(alpha: float, square: Array) -> Array:
    """GGX, 1 in its middle, where the half-vector's tangent has this square."""
    lobe: Array = ((1 + square) / (1 + square / alpha**2)) ** 2
    return lobe


def _without(values: Array, basis: Array) -> Array:
    # einsum: BLAS would start threads for these small products
    rest: Array = values - np.einsum("pk,kc->pc", basis, np.einsum("pk,pc->kc", basis, values))
    return rest


def _cells(image: Array) -> Array:
    return cv2.resize(image, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).astype(np.float64)
