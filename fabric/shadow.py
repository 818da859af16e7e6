"""The straight edge of a cast shadow, as a window frame, a shelf or the photographer throws it.

A shadow divides all colours by one factor on one side of a line, on cloth and table alike, and its edge runs
across the whole picture. The edge of a swatch does not. The line is searched among many directions by how
many of the steps across it agree (a Radon transform of steps); then its place, width and depth are measured
on the mean profile across it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

SIDE = 96  # pixels of the longer side of the picture in which the line is searched
MOST = 3
_TURNS = 60  # directions in 180°
_EVERY = 2  # pixels along a line between two samples; the step is blurred over more
_APART = 6  # directions between two lines that are not the same
_REACH = 7  # pixels between the line and either side of the step; a soft edge is as wide
MIN_STEP, _MAX_STEP = 0.16, 1.45  # of the logarithm of brightness; the sky lights even deep shadows
_AGREE = 0.75  # share of the steps along the line that are about as high as the common one
_FINER = (*range(-3, 4), *np.arange(-2.5, 3))  # steps of a direction, measured around the one that scored
_END = 0.12  # of the line at either of its ends
_MIN_LENGTH = 0.45  # of the picture's shorter side
MAX_TINT = 0.4  # difference of the steps of two colours, relative to the step: light in a shadow is bluish
_FLOOR = 1e-3

Array = np.ndarray


@dataclass(frozen=True)
class Shadow:
    """normal: the direction (x, y) into the light. offset: of the line along it. width: of the soft edge as
    the scale of a logistic curve; both in fractions of the picture's longer side. depth: (C,) how much darker
    each colour is, as a logarithm.
    """

    normal: tuple[float, float]
    offset: float
    width: float
    depth: Array

    def darkness(self, height: int, width: int) -> Array:
        """The shadow as a logarithm, (height, width, C), 0 in the light."""
        return log_light(self._hidden(height, width), self.depth)

    def gain(self, height: int, width: int, strength: float = 1.0) -> Array:
        """What the light without the shadow multiplies by, (height, width, C) float32, 1 in the light."""
        one, mean = log_of_mean(self._hidden(height, width), self.depth)
        lit: Array = cv2.merge([cv2.exp(cv2.multiply(one, -strength * part / mean)) for part in self.depth])
        return lit

    def _hidden(self, height: int, width: int) -> Array:
        """The share of the lamp that is hidden, (height, width) float32."""
        soft = max(self.width, 1e-4)
        y, x = axes(height, width)
        away = np.float32(self.normal[1] / soft) * y - np.float32(self.offset / soft)
        across = np.add.outer(away, np.float32(self.normal[0] / soft) * x)
        cv2.min(cv2.max(across, -30.0, dst=across), 30.0, dst=across)
        share: Array = cv2.divide(1.0, cv2.add(cv2.exp(across, dst=across), 1.0, dst=across), dst=across)
        return share


def axes(height: int, width: int) -> tuple[Array, Array]:
    """Where a picture's rows and columns lie, 0 in its middle, in fractions of its longer side, float32."""
    longer = max(height, width)
    y, x = ((np.arange(n, dtype=np.float32) + np.float32(0.5 - n / 2)) / longer for n in (height, width))
    return y, x


def log_light(share: Array, depth: Array) -> Array:
    """The logarithm of the light where a `share` (H, W) of the lamp is hidden: what adds up is light."""
    one, mean = log_of_mean(share.astype(np.float32, copy=False), depth)
    found: Array = cv2.merge([one * np.float32(part / mean) for part in depth])
    return found


def log_of_mean(share: Array, depth: Array) -> tuple[Array, float]:
    """The same for the colours' mean depth, (H, W) of the share's precision, and that depth."""
    mean = max(float(depth.mean()), 1e-3)
    one: Array = cv2.log(cv2.subtract(1.0, cv2.multiply(share, 1 - float(np.exp(-mean)))))
    return one, mean


def find_shadows(linear: Array) -> Iterator[Shadow]:
    """Straight shadows that linear RGB (H, W, 3) float32 may show, the likeliest first.

    A shadow's edge crosses the whole picture. At most `MOST` are found; that of a swatch whose side is
    almost as long as the picture can be among them.
    """
    scale = SIDE / max(linear.shape[:2])
    size = max(8, round(linear.shape[1] * scale)), max(8, round(linear.shape[0] * scale))
    log = np.log(np.maximum(cv2.resize(linear, size, interpolation=cv2.INTER_AREA), _FLOOR))
    log = cv2.GaussianBlur(log, (0, 0), 0.8)
    field = _scores(log.mean(axis=2), _lines(size))  # (turns, columns)
    found = 0
    for _ in range(2 * MOST):
        turn, column = (int(i) for i in np.unravel_index(field.argmax(), field.shape))
        if field[turn, column] == 0 or found == MOST:
            return
        shadow = _measured(log, turn, column)
        if shadow:
            found += 1
            yield shadow
        # After half a turn the same line lies at the mirrored column.
        for near in range(turn - _APART, turn + _APART + 1):
            middle = column if 0 <= near < _TURNS else field.shape[1] - 1 - column
            field[near % _TURNS, max(0, middle - 2 * _REACH) : middle + 2 * _REACH + 1] = 0


def stretched(shadow: Shadow, aspect: float) -> Shadow:
    """A square picture's shadow in a picture whose width is `aspect` times its height."""
    longer = max(aspect, 1.0)
    x, y = shadow.normal[0] * longer / aspect, shadow.normal[1] * longer
    length = float(np.hypot(x, y))
    return Shadow((x / length, y / length), shadow.offset / length, shadow.width / length, shadow.depth)


def seen_through(shadow: Shadow, matrix: Array, size: tuple[int, int], side: int) -> Shadow:
    """A picture's shadow in a square of `side` pixels that shows a part of it.

    matrix: 3×3, affine, from the square's pixels to those of the picture. size: its width and height.
    """
    longer, middle = max(size), (np.array(size) - 1) / 2
    normal = np.array(shadow.normal)
    here = normal @ matrix[:2, :2]  # across the line, in the square
    length = float(np.linalg.norm(here))
    centre = matrix[:2, :2] @ np.full(2, (side - 1) / 2) + matrix[:2, 2]
    offset = (shadow.offset * longer - float(normal @ (centre - middle))) / (length * side)
    x, y = (here / length).tolist()
    return Shadow((x, y), offset, shadow.width * longer / (length * side), shadow.depth)


def _scores(grey: Array, lines: "_Lines") -> Array:
    """For each direction and column, how well the steps across it agree, times the step: (_TURNS, D) float64.

    0 where it is no shadow's edge.
    """
    score = np.zeros(lines.count.shape)
    turned = cv2.remap(grey, lines.places, None, cv2.INTER_NEAREST)  # it is blurred before and afterwards
    turned = cv2.GaussianBlur(turned, (0, 0), sigmaX=0.01, sigmaY=2.5 / _EVERY)  # along the line, over grain
    turned = turned.reshape(lines.valid.shape)
    step = turned[..., 2 * _REACH :] - turned[..., : -2 * _REACH]
    valid = lines.valid[..., _REACH:-_REACH]
    count = lines.count[:, _REACH:-_REACH]
    # Hardly any column has a step at all: only those whose median is one are looked at more closely.
    half = count // 2
    deep = _counted((step > MIN_STEP) & valid) >= count - half
    deep |= _counted((step < -MIN_STEP) & valid) > half
    turn, column = np.nonzero(deep & (count > 0))
    if not len(turn):
        return score
    step, valid, count = step[turn, :, column], valid[turn, :, column], count[turn, column]  # (N, rows)
    ordered = np.sort(np.where(valid, step, np.inf), axis=1)
    common = ordered[np.arange(len(turn)), count // 2]  # the median
    ratio = step / common[:, None]
    like = (ratio > 0.3) & (ratio < 2.2) & valid
    agree = like.sum(axis=1) / count
    # A swatch's side ends inside the picture, a shadow's edge at the picture's border.
    place = np.cumsum(valid, axis=1) / count[:, None]
    for end in (place < _END, place > 1 - _END):
        end &= valid
        agree = np.where((like & end).sum(axis=1) < 0.6 * end.sum(axis=1), 0, agree)
    enough = (np.abs(common) < _MAX_STEP) & (agree > _AGREE)
    score[turn, column + _REACH] = np.where(enough, agree**4 * np.minimum(np.abs(common), 0.6), 0)
    return score


@dataclass(frozen=True)
class _Lines:
    """All directions' turned pictures, one below the other; in each, the columns are possible lines.

    places: where their pixels lie in the picture, as `cv2.remap` reads it. valid: (_TURNS, rows, columns)
    bool, where both sides of the step lie in the picture; nowhere on a line that is too short for a shadow's
    edge. count: of these, (_TURNS, columns).
    """

    places: Array
    valid: Array
    count: Array


def _measured(log: Array, turn: int, column: int) -> Shadow | None:
    """Direction, place, width and depth of the edge near a column of the picture turned by `turn`."""
    height, width = log.shape[:2]
    diagonal = int(np.ceil(np.hypot(width, height)))
    low, high = max(1, column - 2 * _REACH), min(diagonal - 1, column + 2 * _REACH + 1)
    picture = cv2.merge([log, np.ones((height, width), np.float32)])  # 1 where it is
    found: list[tuple[float, float, float, Array, float]] = []
    for finer in _FINER:
        if abs(finer - round(finer)) > 0:  # between the full steps, only beside the best of them
            best = max(found, key=lambda one: one[4], default=None)
            if best is None or abs(best[1] - turn - finer) > 0.6:
                continue
        matrix = _turned((width, height), turn + finer)
        matrix[0, 2] -= low - 1  # of the turned picture, only what lies near the line
        turned = cv2.warpAffine(picture, matrix, (high - low + 2, diagonal), flags=cv2.INTER_LINEAR)
        rows = (turned[:, 0, 3] == 1) & (turned[:, -1, 3] == 1)
        if rows.sum() < _MIN_LENGTH * min(height, width) * 0.7:
            continue
        slope = np.diff(turned[rows, :, :3], axis=1)
        profile = np.sort(slope, axis=0)[len(slope) // 5 : len(slope) - len(slope) // 5].mean(axis=0)
        grey = profile.mean(axis=1)
        grey -= np.median(np.concatenate([grey[:4], grey[-4:]]))  # a slow change of light is not the shadow
        at = np.arange(low, high + 1) - 0.5
        smooth = np.abs(cv2.GaussianBlur(grey[None], (0, 0), 1.0)[0])
        peak = int(smooth.argmax())
        weight = np.clip(grey * np.sign(grey[peak]), 0, None) * np.exp(-(((at - at[peak]) / 8) ** 2))
        total = float(weight.sum())
        if total < 1e-6:
            continue
        middle = float((weight * at).sum() / total)
        spread = float(np.sqrt((weight * (at - middle) ** 2).sum() / total))
        found.append((spread, turn + finer, middle, profile.sum(axis=0), float(smooth[peak])))
    if not found:
        return None
    spread, angle, middle, depth, _ = max(
        found, key=lambda one: one[4]
    )  # the direction in which it is steepest
    sign = 1.0 if depth.mean() > 0 else -1.0
    depth = depth * sign
    if not MIN_STEP < depth.mean() < _MAX_STEP or np.ptp(depth) > MAX_TINT * depth.mean():
        return None
    radians = angle * np.pi / _TURNS
    normal = (float(np.cos(radians) * sign), float(np.sin(radians) * sign))
    offset = (middle - (diagonal - 1) / 2) * sign / max(width, height)
    soft = np.sqrt(max(spread**2 - 0.9**2, 0.05)) * np.sqrt(3) / np.pi
    return Shadow(normal, float(offset), float(soft / max(width, height)), depth)


@lru_cache(maxsize=4)
def _lines(size: tuple[int, int]) -> _Lines:
    diagonal = int(np.ceil(np.hypot(*size)))
    rows = np.arange(0, diagonal, _EVERY)
    shape = (_TURNS, len(rows), diagonal)
    places, seen = np.empty((*shape, 2), np.float32), np.empty(shape, bool)
    for turn in range(_TURNS):
        back = cv2.invertAffineTransform(_turned(size, turn))
        for axis in range(2):
            places[turn, ..., axis] = back[axis, 0] * np.arange(diagonal) + back[axis, 1] * rows[:, None]
            places[turn, ..., axis] += back[axis, 2]
        seen[turn] = ((places[turn] >= 0) & (places[turn] <= np.array(size) - 1)).all(axis=-1)
    valid = np.zeros(shape, bool)
    valid[..., _REACH:-_REACH] = seen[..., 2 * _REACH :] & seen[..., : -2 * _REACH]
    valid &= _counted(valid)[:, None] > _MIN_LENGTH * min(diagonal, SIDE) * 0.7 / _EVERY
    flat = places.reshape(-1, diagonal, 2)
    nearest, _ = cv2.convertMaps(flat, None, cv2.CV_16SC2, nninterpolation=True)
    return _Lines(nearest, valid, _counted(valid))


def _counted(where: Array) -> Array:
    """How many of each column's pixels it is: (turns, rows, columns) bool to (turns, columns)."""
    count: Array = where.view(np.uint8).sum(axis=1, dtype=np.uint8)  # a picture has fewer rows than 256
    return count.astype(np.int32)


def _turned(size: tuple[int, int], turn: float) -> Array:
    """The affine map (2, 3) that turns a picture of `size` by `turn` steps into a square; lines stand."""
    width, height = size
    diagonal = int(np.ceil(np.hypot(width, height)))
    radians = turn * np.pi / _TURNS
    cos, sin = np.cos(radians), np.sin(radians)
    matrix = np.array([[cos, sin, 0.0], [-sin, cos, 0.0]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix[:, 2] = (diagonal - 1) / 2 - matrix[:, :2] @ middle
    return matrix
