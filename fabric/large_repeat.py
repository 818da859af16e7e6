"""Finds the repeat of what is coarser than yarns, turned by any angle: a print, a check, cables, lace.

The shortest repeat of a cloth is that of its weave. A tile of whole repeats of the weave alone cuts or
doubles the motifs of a print on it. They are looked for in a coarse picture, in colour, since the areas of a
check may be equally bright, and at shifts of up to three quarters of the photo, since it may show no more
than two of them: the correlation of what overlaps after the shift (Padfield, "Masked object registration in
the Fourier domain", 2012).
"""

import cv2
import numpy as np

from fabric import fourier
from fabric.repeat import MAX_SKEW, Repeat, vertex
from fabric.shrink import shrink

_SIDE = 128  # pixels of the coarse picture
_BLUR = 1.5  # of those pixels: yarns are gone
_SLOW = 1 / 6  # of the side: what is slower is light, or a pattern of which the photo does not show two
_LEAST = 3.0  # deviation of the coarse picture in CIELAB from which on a motif is seen
_SHORTEST, _NARROWEST = 6.0, 4.0  # pixels of the coarse picture: a motif, and a stripe
_LONGEST = 0.75  # of the side
_ALIKE = 0.65  # correlation of a motif with its neighbour
_VALLEY = 0.25  # by how much less it is somewhere between the two
_TURNED = 0.15
_NEARLY = 0.85  # of the best pair's correlation
_LONG, _FAR = 0.6, 0.25  # of it all along a stripe, as far as this share of the side
_ACROSS = 0.03  # sine of the same for the weave beside stripes
_PEAKS = 60
_YARNS = 1.0  # σ in coarse pixels
_TIMES = 3  # of a repeat: an error of more of them could be half of a yarn's
_EXACT = 0.3  # coarse pixels within which the coarse shift is right
_REFINED = 256  # pixels of the picture that are compared for the exact shift

Array = np.ndarray
Repeats = tuple[Repeat | None, Repeat | None]


def find_large_repeats(colour: Array, grey: Array, fine: Repeats, longest: float) -> Repeats:
    """The repeats of a square's motifs, across and down, or `fine` where those explain what repeats.

    Only one of the two, where the cloth has stripes. colour: (N, N, 3) uint8 RGB. grey: the (N, N) picture in
    which they are measured exactly. fine: the weave's. longest: of a tile's side, which holds at least one of
    them, for cloth that is not turned.
    """
    scale = len(colour) / _SIDE
    small = shrink(colour, _SIDE, _SIDE).astype(np.float32) / 255
    lab = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), (0, 0), _BLUR)
    lab -= cv2.GaussianBlur(lab, (0, 0), _SLOW * _SIDE)
    if cv2.norm(cv2.meanStdDev(lab)[1]) < _LEAST:
        return fine
    field = _overlapping(lab)
    found = _stripes(field, lab, longest / scale) or _pair(field, longest / scale)
    if found is None or _explained(field, fine, found, scale):
        return fine
    across, down = (one and _measured(grey, one, scale) for one in found)
    if across and down:
        return across, down
    across, down = (
        exact and one and _towards(one, exact) for one, exact in zip(found, (across, down), strict=True)
    )
    # Beside stripes the weave's own repeat along them is kept.
    stripe = across or down
    turn = np.array(stripe.vector) / stripe.period if stripe else np.zeros(2)
    keep = [one if one and abs(np.array(one.vector) @ turn) < _ACROSS * one.period else None for one in fine]
    return across or keep[0], down or keep[1]


def _explained(field: Array, fine: Repeats, large: Repeats, scale: float) -> bool:
    """Whether the weave's repeats are those of the motifs: then these look alike at multiples of them."""
    for one, other in zip(fine, large, strict=True):
        if other is None:
            continue
        if one is None:
            return False
        vector = np.array(one.vector) / scale
        times = max(1, round(0.5 * other.period * scale / one.period))
        if _at(field, times * vector) < _NEARLY * other.confidence:
            return False
    return True


def _overlapping(values: Array) -> Array:
    """The correlation of (N, N, C) with itself at each shift, of what overlaps: (2N, 2N), 0 at [N, N]."""
    side = len(values)
    padded = (2 * side, 2 * side)

    def spectrum(one: Array) -> Array:
        wide = np.zeros(padded, np.float32)
        wide[:side, :side] = one
        return fourier.rfft2(wide)

    both = np.add.reduce([np.abs(spectrum(one)) ** 2 for one in cv2.split(values)])
    energy = spectrum((values * values).sum(axis=2)).conj() * spectrum(np.ones((side, side), np.float32))
    together, first = (fourier.irfft2(one.astype(np.complex64), padded) for one in (both, energy))
    second = np.roll(first[::-1, ::-1], (1, 1), (0, 1))
    least = 0.05 * float(first.max())
    return np.fft.fftshift(together / np.sqrt(np.maximum(first, least) * np.maximum(second, least)))


def _pair(field: Array, longest: float) -> tuple[Repeat, Repeat] | None:
    """The two shortest repeats at a right angle, as far as they stand out."""
    side = len(field) // 2
    reach = int(_LONGEST * side)
    part = field[side - reach : side + reach + 1, side - reach : side + reach + 1]
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    length = np.hypot(x, y)
    peaks = (part == cv2.dilate(part, np.ones((3, 3), np.uint8))) & (part >= _ALIKE)
    peaks &= (length >= _SHORTEST) & (length < longest)
    peaks &= (np.abs(y) <= x) | ((y > 0) & (np.abs(x) < y))  # each shift and its opposite are one
    rows, columns = np.nonzero(peaks)
    nearest = np.argsort(length[rows, columns], kind="stable")[:_PEAKS]
    rows, columns = rows[nearest], columns[nearest]
    whole = np.column_stack([columns, rows]) - reach
    way = np.rint(np.linspace(0.2, 0.8, 13)[:, None, None] * whole).astype(int) + reach
    likeness = part[rows, columns]
    stands = likeness - part[way[..., 1], way[..., 0]].min(axis=0) >= _VALLEY
    if not stands.any():
        return None
    likeness = likeness[stands].astype(np.float64)
    rows, columns = np.clip(rows[stands], 1, 2 * reach - 1), np.clip(columns[stands], 1, 2 * reach - 1)
    beside = [
        vertex(*(part[rows + step * down, columns + step * right] for step in (-1, 0, 1)))
        for right, down in ((1, 0), (0, 1))
    ]
    vectors = whole[stands] + np.column_stack(beside)
    periods = np.linalg.norm(vectors, axis=1)
    flat = np.abs(vectors[:, 1]) <= vectors[:, 0]
    cosine = (vectors @ vectors.T) / np.outer(periods, periods)
    room = longest / (np.abs(vectors).sum(axis=1) / periods)  # a turned tile is smaller
    fits = np.outer(flat, ~flat) & (np.abs(cosine) < np.sin(np.radians(MAX_SKEW)))
    fits &= np.maximum.outer(periods, periods) <= room[:, None]
    if not fits.any():
        return None
    together = np.add.outer(likeness, likeness)
    fits &= together >= _NEARLY * together[fits].max()
    turn = np.minimum(np.abs(vectors[:, 1]), np.abs(vectors[:, 0])) / periods
    # Of pairs that are about as long, the one that is turned least.
    total = np.where(fits, np.add.outer(periods, periods) * (1 + _TURNED * turn[:, None]), np.inf)
    i, j = np.unravel_index(int(total.argmin()), total.shape)
    return _repeat(vectors[i], float(likeness[i])), _repeat(vectors[j], float(likeness[j]))


def _stripes(field: Array, lab: Array, longest: float) -> Repeats | None:
    """The shortest repeat across stripes, as far as it stands out; None where there are no stripes."""
    side = len(field) // 2
    dx, dy = cv2.Scharr(lab, cv2.CV_32F, 1, 0), cv2.Scharr(lab, cv2.CV_32F, 0, 1)
    # The structure tensor, as in `fibres.py`: colours change across a stripe.
    xx, yy, xy = (float((one * other).sum()) for one, other in ((dx, dx), (dy, dy), (dx, dy)))
    turn = 0.5 * np.arctan2(2 * xy, xx - yy)
    normal = np.array([np.cos(turn), np.sin(turn)])
    along = np.array([-normal[1], normal[0]])
    far = np.linspace(-_FAR, _FAR, 13) * side
    steps = np.arange(4, 4 * int(min(longest, _LONGEST * side))) / 4
    line = _at(field, steps[:, None] * normal)
    stands = (line[1:-1] >= line[:-2]) & (line[1:-1] > line[2:]) & (line[1:-1] >= _ALIKE)
    stands &= (line - np.minimum.accumulate(line))[1:-1] >= _VALLEY
    stands &= steps[1:-1] >= _NARROWEST
    peaks = np.flatnonzero(stands) + 1
    if not len(peaks):
        return None
    distance = float(steps[peaks[0]] + vertex(*line[peaks[0] - 1 : peaks[0] + 2]) / 4)
    likeness = float(line[peaks[0]])
    near = np.arange(-8, 9) / 4
    ridge = _at(field, near[:, None, None] * normal + far[:, None] * along)  # (17, 13)
    top = ridge.argmax(axis=0).clip(1, len(near) - 2)
    beside = vertex(*(ridge[top + step, np.arange(len(far))] for step in (-1, 0, 1)))
    slope = float(np.polyfit(far, near[top] + beside / 4, 1)[0])
    turned = normal - slope * along
    found = turned / (1 + slope**2) * distance
    beyond = _at(field, found + far[:, None] * (along + slope * normal))
    if np.quantile(beyond, 0.25) < _LONG * likeness:
        return None
    if abs(found[1]) <= abs(found[0]):
        return _repeat(found * np.sign(found[0]), likeness), None
    return None, _repeat(found * np.sign(found[1]), likeness)


def _at(field: Array, shifts: Array) -> Array:
    """The correlation at shifts (..., 2)."""
    places = (shifts.reshape(-1, 1, 2) + len(field) // 2).astype(np.float32)
    return cv2.remap(field, places, None, cv2.INTER_LINEAR).reshape(shifts.shape[:-1])


def _repeat(vector: Array, likeness: float) -> Repeat:
    return Repeat((float(vector[0]), float(vector[1])), min(likeness, 1.0))


def _towards(rough: Repeat, exact: Repeat) -> Repeat:
    """The part of an exact repeat along the rough one: along stripes any shift fits."""
    turn = np.array(rough.vector) / rough.period
    return _repeat(turn * float(turn @ exact.vector), exact.confidence)


def _measured(grey: Array, rough: Repeat, scale: float) -> Repeat:
    """A repeat of the coarse picture in the pixels of `grey`, from a multiple of it where there is room."""
    exact = _exact(grey, rough, scale)
    times = min(_TIMES, int(_LONGEST * len(grey) / exact.period))
    return exact if times < 2 else _exact(grey, exact.scaled(times / scale), scale).scaled(1 / times)


def _exact(grey: Array, rough: Repeat, scale: float) -> Repeat:
    """A repeat of the coarse picture, exactly as it is in `grey`."""
    start = np.rint(np.array(rough.vector) * scale).astype(int)
    margin = int(scale) + 1
    side = len(grey)
    corner, box = [], []
    for step in start:  # a part that lies, with the shift and the search around it, inside of the picture
        low, high = max(0, margin - step), min(side, side - margin - step)
        width = min(_REFINED, high - low)
        corner.append(low + (high - low - width) // 2)
        box.append(width)
    if min(box) < 16:
        return rough.scaled(scale)
    (x, y), (width, height) = corner, box
    template = grey[y : y + height, x : x + width]
    left, top = x + start[0] - margin, y + start[1] - margin
    around = grey[top : top + height + 2 * margin, left : left + width + 2 * margin]
    # Yarns that do not repeat with a print would draw its shift to where they meet.
    template, around = (cv2.GaussianBlur(part, (0, 0), _YARNS * scale) for part in (template, around))
    match = cv2.matchTemplate(around, template, cv2.TM_CCOEFF_NORMED)
    down, right = np.ogrid[-margin : margin + 1, -margin : margin + 1]
    away = start / scale - rough.vector
    apart = np.hypot(right / scale + away[0], down / scale + away[1])
    near = match - np.maximum(apart - _EXACT, 0) ** 2
    row, column = (int(value) for value in np.unravel_index(int(near.argmax()), near.shape))
    found = start + np.array([column, row]) - margin
    row, column = min(max(row, 1), 2 * margin - 1), min(max(column, 1), 2 * margin - 1)
    fraction = [vertex(*near[row, column - 1 : column + 2]), vertex(*near[row - 1 : row + 2, column])]
    return _repeat(found + fraction, rough.confidence)
