"""The sides of a swatch in a photo: where exactly they lie, and whether one is only a shadow's edge."""

import cv2
import numpy as np

from fabric.shadow import MAX_TINT, MIN_STEP, Shadow

_PIECES, _PROFILES = 32, 8  # a side is divided into pieces; each is searched in the mean of its profiles
_EDGE_WEIGHTS = np.array([0.4, 1, 1], np.float32)  # of L, a, b: a shadow has an edge in lightness only
_SLANTS = 13  # of lines across a side
_GROUP = 4  # pieces within which a line hardly slants
_FINE = 15.0  # pixels: a narrower search samples every half pixel
_NEAR = 8.0  # columns around the line in which a piece's edge is looked for
_PRINT = 0.08  # of a side: how far outside of a line of the print the cloth may end
_WHOLE = 0.85  # share of a side along which an edge of cloth is seen
_BEYOND_ENDS = (-0.22, -0.03), (1.03, 1.22)  # where a swatch's side has ended
_BESIDE, _BEYOND = (0.012, 0.06), 0.25  # of the photo beside a side, and of the side beyond its ends


def snapped(photo: np.ndarray, corners: np.ndarray, reach: float) -> np.ndarray | None:
    """`corners` (4, 2), moved so that each side lies on the steepest change within `reach` × its length.

    None if the moved sides do not meet within the photo.
    """
    lines = [_side(photo, corners[i], corners[(i + 1) % 4], reach) for i in range(4)]
    points = [cross(lines[i - 1], lines[i]) for i in range(4)]
    if any(point is None for point in points):
        return None
    result = np.array(points)
    size = np.array(photo.shape[1::-1])
    inside = (result > -0.02 * size).all() and (result < 1.02 * size).all()
    return result if inside else None


def _side(
    photo: np.ndarray, start: np.ndarray, end: np.ndarray, reach: float
) -> tuple[float, float, float, float]:
    """One side as a line (vx, vy, x, y), fitted (Huber) to the steepest change of colour across it.

    A threshold's contour includes the soft shadow beside a swatch; the steepest change does not.
    """
    length = float(np.linalg.norm(end - start))
    across = np.array([start[1] - end[1], end[0] - start[0]]) / length
    limit = max(6.0, reach * length)
    fine = 0.5 if limit < _FINE else 1.0  # pixels; what was searched widely is searched closely afterwards
    first, step = start + 0.06 * (end - start), 0.88 * (end - start) / (_PIECES * _PROFILES - 1)
    offsets, profile = _changes(photo, (first, step), (limit, fine), _PIECES)
    line = straightest(profile)  # (pieces,) in columns
    # Each piece's own peak near that line, to a fraction of a column.
    columns = np.arange(profile.shape[1])
    near = profile * np.exp(-(((columns - line[:, None]) / _NEAR) ** 2))
    peak = near.argmax(axis=1).clip(1, profile.shape[1] - 2)
    rows = np.arange(_PIECES)
    left, middle, right = (profile[rows, peak + one] for one in (-1, 0, 1))
    curve = np.minimum(left - 2 * middle + right, -1e-6)
    best = offsets[peak] + fine * np.clip((left - right) / (2 * curve), -0.5, 0.5)
    middles = rows[:, None] * _PROFILES + (_PROFILES - 1) / 2
    points = first + middles * step + best[:, None] * across
    return tuple(cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel().tolist())


def _changes(
    photo: np.ndarray, along: tuple[np.ndarray, np.ndarray], across: tuple[float, float], pieces: int
) -> tuple[np.ndarray, np.ndarray]:
    """How much the colour changes across a side: the places (N,) in pixels, and the changes (pieces, N).

    along: the first point, and the step to the next profile's; _PROFILES of them make a piece. across: the
    farthest place to either side, and the distance between places.
    """
    (first, step), (limit, fine) = along, across
    offsets = np.arange(-limit, limit + fine / 2, fine)
    aside = np.array([-step[1], step[0]]) / float(np.linalg.norm(step))
    strip = np.column_stack([fine * aside, step, first - limit * aside])  # (offsets, profiles) to the photo
    size = len(offsets), pieces * _PROFILES
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    colours = cv2.warpAffine(photo, strip, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    # The mean of a piece averages out the weave's threads, but not the edge, which is straight.
    mean = cv2.resize(colours, (len(offsets), pieces), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(mean.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) * _EDGE_WEIGHTS
    lab = cv2.GaussianBlur(lab, (0, 0), sigmaX=2, sigmaY=0.01, borderType=cv2.BORDER_REPLICATE)
    return offsets, np.linalg.norm(np.gradient(lab, axis=1), axis=2)


def bordered(photo: np.ndarray, corners: np.ndarray) -> float:
    """The share of a side along which there is an edge, of that of the four sides where it is least.

    It does not depend on how the colours of swatch and table vary.
    """
    least = 1.0
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        least = min(least, _edge_along(photo, start, end))
        if least < 0.5:
            break
    return least


def widened(photo: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """`corners`, with sides that lie on a line of the print moved outwards to the edge of the cloth."""
    for number in range(4):
        before, start, end, after = (corners[(number + step) % 4] for step in (-1, 0, 1, 2))
        moved = _outermost(photo, start, end)
        if moved is None:
            continue
        first, last = (cross(moved, (*(one - two), *one)) for one, two in ((start, before), (end, after)))
        if first is None or last is None:
            continue
        size = np.array(photo.shape[1::-1])
        inside = all((-0.02 * size < point).all() and (point < 1.02 * size).all() for point in (first, last))
        if inside and _edge_along(photo, first, last) >= _WHOLE:
            corners = corners.copy()
            corners[number], corners[(number + 1) % 4] = first, last
    return corners


def _outermost(
    photo: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[float, float, float, float] | None:
    """The line farthest outside of a side, but near it, that has an edge all along it."""
    side, length = end - start, float(np.linalg.norm(end - start))
    first, step = start + 0.1 * side, 0.8 * side / (_PIECES * _PROFILES - 1)
    offsets, profile = _changes(photo, (first, step), (_PRINT * length, 1.0), _PIECES)
    edge = profile > 2 * np.median(profile, axis=1, keepdims=True) + 0.1
    edge &= profile == cv2.dilate(profile, np.ones((1, 7), np.uint8))  # a shadow beside an edge has no peak
    edge = cv2.dilate(edge.astype(np.uint8), np.ones((1, 5), np.uint8))
    pieces, slants = np.arange(_PIECES)[:, None], np.arange(-12, 13, 2)
    moved = np.rint(np.linspace(-0.5, 0.5, _PIECES)[:, None] * slants).astype(int)  # (pieces, slants)
    outside = np.arange(6, np.count_nonzero(offsets < -6))  # corners go clockwise: first columns are outside
    share = edge[pieces, (outside[:, None, None] + moved)].mean(axis=1)  # (columns, slants)
    whole = np.argwhere(share >= _WHOLE)
    if not len(whole):
        return None
    across = np.array([-side[1], side[0]]) / length
    turn = 0.8 * side + slants[whole[0, 1]] * across
    at = start + 0.5 * side + (offsets[outside[whole[0, 0]]] + 2) * across  # the line was dilated
    return (*(turn / np.linalg.norm(turn)).tolist(), *at.tolist())


def _edge_along(photo: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """The share of a side along which there is an edge.

    0 if the edge goes on beyond both ends: then it is a line of a print, or of the table.
    """
    within, strength = _edges_on(photo, start, end, (0.04, 0.96), 0)
    if within < 0.5:
        return within
    ends = [_edges_on(photo, start, end, part, 0.4 * strength)[0] for part in _BEYOND_ENDS]
    return within if min(ends) <= 0.5 else 0.0


def is_of_print(photo: np.ndarray, corners: np.ndarray) -> bool:
    """Whether corners (4, 2) are those of a print's area, as of a check: most sides go on at both ends."""
    going_on = 0
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        strength = _edges_on(photo, start, end, (0.04, 0.96), 0)[1]
        going_on += min(_edges_on(photo, start, end, part, 0.3 * strength)[0] for part in _BEYOND_ENDS) > 0.5
    return going_on > 2


def _edges_on(
    photo: np.ndarray, start: np.ndarray, end: np.ndarray, part: tuple[float, float], least: float
) -> tuple[float, float]:
    """The share of the pieces of a line that have an edge stronger than `least`, and its median strength."""
    pieces = max(8, round(_PIECES * min(1, part[1] - part[0])))
    step = (part[1] - part[0]) * (end - start) / (pieces * _PROFILES - 1)
    offsets, profile = _changes(photo, (start + part[0] * (end - start), step), (14.0, 0.5), pieces)
    on = profile[:, np.abs(offsets) <= 2].max(axis=1)
    beside = np.median(profile[:, np.abs(offsets) >= 4], axis=1)
    return float(((on > 2 * beside + 0.1) & (on > least)).mean()), float(np.median(on))


def straightest(profile: np.ndarray) -> np.ndarray:
    """Of all lines across `profile` (pieces, columns), the columns of that on which most pieces have an edge.

    The root of an edge's strength counts: a row of a print's dots is stronger than the cloth's end, but is
    seen in a part of the pieces only.
    """
    pieces, width = profile.shape
    root = np.sqrt(profile).reshape(-1, _GROUP, width).sum(axis=1)
    slants = np.linspace(-0.5, 0.5, _SLANTS) * min(width - 1, 2 * _SLANTS - 2)  # columns from end to end
    along = np.linspace(-0.5, 0.5, pieces)
    moved = np.rint(slants[:, None] * along.reshape(-1, _GROUP).mean(axis=1)).astype(int)  # (slants, groups)
    reach = int(np.abs(moved).max())
    padded = np.pad(root, ((0, 0), (reach, reach)))
    score = np.zeros((_SLANTS, width), np.float32)
    for row, begins in zip(score, reach + moved, strict=True):
        for group, begin in zip(padded, begins, strict=True):
            row += group[begin : begin + width]
    slant, column = np.unravel_index(int(score.argmax()), score.shape)
    line: np.ndarray = column + slants[slant] * along
    return line


def cross(
    one: tuple[float, float, float, float], two: tuple[float, float, float, float]
) -> np.ndarray | None:
    """The intersection of two lines; None if they are nearly parallel."""
    matrix = np.array([[one[0], -two[0]], [one[1], -two[1]]])
    if abs(np.linalg.det(matrix)) < 0.2:
        return None
    step = np.linalg.solve(matrix, np.array([two[2] - one[2], two[3] - one[3]]))
    return np.array([one[2] + step[0] * one[0], one[3] + step[0] * one[1]])


def shadow_along(log: np.ndarray, start: np.ndarray, end: np.ndarray) -> Shadow | None:
    """The shadow whose edge a side is, if the step of brightness across it is as high beyond its ends.

    log: logarithm of linear RGB, and 1 where the picture is: (H, W, 4).
    """
    length, longer = float(np.linalg.norm(end - start)), max(log.shape[:2])
    across = np.array([start[1] - end[1], end[0] - start[0]]) / length
    near, far = _BESIDE
    at = np.linspace(-far, far, 25) * longer
    along = np.linspace(-_BEYOND, 1 + _BEYOND, 120)
    places = start + along[:, None, None] * (end - start) + at[:, None] * across  # (120, 25, 2)
    seen = cv2.remap(log, places.astype(np.float32), None, cv2.INTER_LINEAR)
    # What lies outside the picture is 0 in all bands, and does not count.
    dark, lit = (seen[:, side].sum(axis=1) for side in (at < -near * longer, at > near * longer))
    step = lit[:, :3] / np.maximum(lit[:, 3:], 1) - dark[:, :3] / np.maximum(dark[:, 3:], 1)  # (120, 3)
    inside = np.minimum(lit[:, 3], dark[:, 3]) >= 4
    within, before, behind = (along > 0.1) & (along < 0.9), along < -0.03, along > 1.03
    here, *ends = [
        np.median(step[inside & part], axis=0) if (inside & part).sum() > 3 else None
        for part in (within, before, behind)
    ]
    if here is None or abs(here.mean()) < MIN_STEP or np.ptp(here) > MAX_TINT * abs(here.mean()):
        return None
    ratios = [float(beyond.mean() / here.mean()) for beyond in ends if beyond is not None]
    if not ratios or not all(0.5 < ratio < 1.7 for ratio in ratios):
        return None
    sign = float(np.sign(here.mean()))
    # A logistic curve is steepest in its middle, by a quarter of its height for its scale.
    profile = seen[inside & within, :, :3].mean(axis=(0, 2))
    width = abs(here.mean()) / 4 / max(float(np.abs(np.diff(profile)).max()), 1e-3) * (at[1] - at[0])
    middle = (start + end + 1 - np.array(log.shape[1::-1])) / 2 / longer
    normal = across * sign
    return Shadow(
        (float(normal[0]), float(normal[1])), float(normal @ middle), float(width / longer), here * sign
    )
