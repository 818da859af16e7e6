"""Makes a square of cloth into a tile that repeats without a visible seam.

Opposite borders overlap. Within the overlap the seam follows the path along which both sides differ least:
the minimum error boundary cut of Efros & Freeman, "Image Quilting for Texture Synthesis and Transfer"
(2001), found by dynamic programming. All maps are derived from the finished tile with wrapped borders, so
all have the same seam.
"""

import cv2
import numpy as np

FEATHER = 3  # pixels on either side of the cut; wider would blur the weave
_STEP = 0.72  # of the average step; JPEG codes both sides of the border by themselves, and adds to it
_COARSE = 16  # pixels across the overlap when only tone is blended
_TONE = 0.2  # of the brightness: so far may the light of both borders differ
_SMALL = 128  # pixels of the tile's side at which its borders' motifs are compared
_BLURRED = 1.5  # of those pixels: threads, which may lie anywhere, are gone
_HOLE = 2.0  # a hole differs from a thread as black differs from what is e² times as bright
_DARKEST = 1e-3  # of white; darker differences are noise, and are not seen


def make_seamless(image: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The tile (size, size, C), and the mask of the pixels that touch a cut (size, size) bool.

    image: (size + b, size + b, C) float32, whose last b rows and columns overlap the first b.
    """
    overlap = len(image) - size
    strip, cut_x = _merge(image[:, :overlap], image[:, size:], closed=False)
    upper, lower = (
        cv2.transpose(np.concatenate([strip[rows], image[rows, overlap:size]], axis=1))
        for rows in (slice(overlap), slice(size, None))
    )
    band, cut_y = _merge(upper, lower, closed=True)
    tile = np.empty((size, size, image.shape[2]), np.float32)
    tile[:overlap] = cv2.transpose(band)
    tile[overlap:, :overlap] = strip[overlap:size]
    tile[overlap:, overlap:] = image[overlap:size, overlap:size]
    mask = np.zeros((size, size), bool)
    mask[:, :overlap] = cut_x[:size]
    mask[:overlap, :overlap] |= cut_x[size:]
    mask[:overlap] |= cut_y.T
    return tile, mask


def misfit(image: np.ndarray, size: int, opaque: bool = True) -> float:
    """How differently the pattern looks where opposite borders overlap; 0 if they show the same.

    The seam takes either side's pixels, so motifs that differ are cut or doubled there, although no step is
    left that one could measure. It is the deviation of the difference in the logarithm of light, times its
    share of the pattern's own deviation: a bold print that is a pixel off differs much, but is not cut. The
    larger value of x and y. image: as for `make_seamless`. opaque: False if its fourth channel is opacity,
    0 to 1, which then counts, too.
    """
    overlap = round(_SMALL * (len(image) - size) / size)
    small = cv2.resize(image, (_SMALL + overlap,) * 2, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(np.ascontiguousarray(small[..., :3]), cv2.COLOR_RGB2GRAY)
    looks = [np.log(np.maximum(grey, _DARKEST))]
    looks += [] if opaque else [_HOLE * small[..., 3]]
    found = []
    for look in looks:
        smooth = cv2.GaussianBlur(look, (0, 0), _BLURRED)
        differences = [side[:, :overlap] - side[:, _SMALL:] for side in (smooth, smooth.T)]
        found += [float(difference.var() / max(smooth.std(), 1e-6)) for difference in differences]
    return max(found)


def settle_border(tile: np.ndarray, cut: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """The tile and its mask, rolled so that its border lies where steps between pixels are nearly average.

    The third value is the row and the column that became the first.

    A seamless tile may begin anywhere. But JPEG and mipmaps treat its border as an edge, and a border in the
    gap between two threads, where steps are largest, would show their errors most.
    """
    luminance = cv2.cvtColor(np.ascontiguousarray(tile[..., :3]), cv2.COLOR_RGB2GRAY)
    code = np.sqrt(np.maximum(luminance, 0))  # roughly the perceived brightness
    begin = []
    for axis, (one, other) in enumerate(((code[1:], code[:-1]), (code[:, 1:], code[:, :-1]))):
        inside = cv2.absdiff(one, other).mean(axis=1 - axis)
        begin.append(1 + int(np.abs(inside - _STEP * inside.mean()).argmin()))
    shift = (-begin[0], -begin[1])
    return np.roll(tile, shift, (0, 1)), np.roll(cut, shift, (0, 1)), (begin[0], begin[1])


def boundary_cut(cost: np.ndarray, closed: bool = False) -> np.ndarray:
    """The column in each row of the cheapest path from top to bottom through `cost` (H, W): (H,) int.

    A path moves by at most one column per row. A closed path starts and ends in the cheapest column of the
    first row, so that its ends meet when the image wraps.
    """
    if closed:
        start = int(cost[0].argmin())
        cost = cost.copy()
        fixed = cost[0, start]
        cost[0] = np.inf
        cost[0, start] = fixed
    height, width = cost.shape
    total = np.full((height, width + 2), np.inf, np.float32)
    total[0, 1:-1] = cost[0]
    best = np.empty(width, np.float32)
    for row in range(1, height):
        above = total[row - 1]
        np.minimum(above[:-2], above[2:], out=best)
        np.minimum(above[1:-1], best, out=best)
        np.add(cost[row], best, out=total[row, 1:-1])
    path = np.empty(height, np.intp)
    path[-1] = start if closed else total[-1, 1:-1].argmin()
    for row in range(height - 2, -1, -1):
        column = path[row + 1]
        path[row] = column - 1 + total[row, column : column + 3].argmin()
    return path


def _merge(left: np.ndarray, right: np.ndarray, closed: bool) -> tuple[np.ndarray, np.ndarray]:
    """A strip (H, b, C): `right` to the left of the cheapest cut, `left` to its right; and the cut (H, b)."""
    height, overlap, bands = left.shape
    difference = left - right
    # Of 2×2 pixels: single ones are noise, and the cut is feathered over more.
    cost = cv2.resize(difference * difference, (overlap // 2, height // 2), interpolation=cv2.INTER_AREA)
    path = 2 * boundary_cut(cv2.transform(cost, np.ones((1, bands))), closed) + 1
    path = np.interp(np.arange(height), 2 * np.arange(len(path)) + 0.5, path).astype(np.float32)
    columns = np.arange(overlap, dtype=np.float32)
    distance = columns - path[:, None] + 0.5  # positive to the right of the cut
    weight = np.clip(distance / (2 * FEATHER) + 0.5, 0, 1)
    # At the strip's ends the neighbouring pixels continue one of the two images.
    edge = np.clip(1 - np.minimum(columns, columns[::-1]) / FEATHER, 0, 1)
    weight += ((distance > 0) - weight) * edge
    # Slowly varying tone is blended over the whole overlap, so that it has no step at the cut, either
    # (Burt & Adelson, "A Multiresolution Spline", 1983, with two bands).
    coarse = cv2.resize(difference, (_COARSE, height * _COARSE // overlap), interpolation=cv2.INTER_AREA)
    around = cv2.resize(left + right, coarse.shape[1::-1], interpolation=cv2.INTER_AREA) / 2
    # What differs more than the light that was left is a motif, and would become its own ghost.
    coarse *= np.exp(-((coarse / np.maximum(_TONE * around, _DARKEST)) ** 2))
    coarse = cv2.GaussianBlur(coarse, (0, 0), _COARSE / 8)
    tone = cv2.resize(coarse, (overlap, height), interpolation=cv2.INTER_LINEAR)
    ramp = np.linspace(0, 1, overlap, dtype=np.float32) - weight
    weights, ramps = cv2.merge([weight] * bands), cv2.merge([ramp] * bands)
    merged = right + cv2.multiply(difference, weights) + cv2.multiply(tone, ramps)
    return merged, np.abs(distance) < 1
