"""The straight edge of a cast shadow, as a window frame, a shelf or the photographer throws it.

A shadow divides all colours by one factor on one side of a line, on cloth and table alike, and its edge runs
across the whole picture. The edge of a swatch does not. The line is searched among many directions by how
many of the steps across it agree (a Radon transform of steps); then its place, width and depth are measured
on the mean profile across it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

SIDE = 96  # pixels of the longer side of the picture in which the line is searched
MOST = 3
_TURNS = 60  # directions in 180°
_APART = 6  # directions between two lines that are not the same
_REACH = 7  # pixels between the line and either side of the step; a soft edge is as wide
_MIN_STEP, _MAX_STEP = 0.16, 1.45  # of the logarithm of brightness; the sky lights even deep shadows
_AGREE = 0.75  # share of the steps along the line that are about as high as the common one
_END = 0.12  # of the line at either of its ends
_MIN_LENGTH = 0.45  # of the picture's shorter side
_MAX_TINT = 0.4  # difference of the steps of two colours, relative to the step: light in a shadow is bluish
_EXPLAINED = 0.6  # what a shadow leaves of the variation that slow changes of light do not explain
_SURE = 0.15  # the same, where no other line needs to be tried
_SOFTENED = 0.57  # pixels: the scale of the curve that an edge has after reduction and blur
_EVEN = 0.025  # deviation of the light without a shadow
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
        longer, soft = max(height, width), max(self.width, 1e-4)
        y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2) / longer
        x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / longer
        away = np.float32(self.normal[1] / soft) * y - np.float32(self.offset / soft)
        across = np.add.outer(away, np.float32(self.normal[0] / soft) * x)
        return log_light(1 / (1 + cv2.exp(np.clip(across, -30, 30, out=across))), self.depth)


def log_light(share: Array, depth: Array) -> Array:
    """The logarithm of the light where a `share` (H, W) of the lamp is hidden: what adds up is light."""
    mean = max(float(depth.mean()), 1e-3)
    one = cv2.log(np.float32(1) - np.float32(1 - np.exp(-mean)) * share.astype(np.float32, copy=False))
    found: Array = cv2.merge([one * np.float32(part / mean) for part in depth])
    return found


def find_shadows(linear: Array) -> Iterator[Shadow]:
    """Straight shadows that linear RGB (H, W, 3) float32 may show, the likeliest first.

    A shadow's edge crosses the whole picture. At most `MOST` are found; that of a swatch whose side is
    almost as long as the picture can be among them.
    """
    scale = SIDE / max(linear.shape[:2])
    size = max(8, round(linear.shape[1] * scale)), max(8, round(linear.shape[0] * scale))
    log = np.log(np.maximum(cv2.resize(linear, size, interpolation=cv2.INTER_AREA), _FLOOR))
    log = cv2.GaussianBlur(log, (0, 0), 0.8)
    grey = log.mean(axis=2)
    scores = []
    for turn in range(_TURNS):
        matrix, seen = _turned(size, turn)
        turned = cv2.warpAffine(grey, matrix, seen.shape[::-1], flags=cv2.INTER_LINEAR)
        scores.append(_score(turned, _lines(size, turn)))
    found = 0
    field = np.array(scores)  # (turns, columns)
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


def fit_shadow(log: Array, smooth: Array) -> Shadow | None:
    """The shadow on one even cloth, from the logarithm of its light (N, N, C); None where there is none.

    smooth: (N, N, K) a basis of the light's slow variation, fitted together with the shadow. It
    is a shadow only if it explains most of what `smooth` alone does not; the edge of a print does not.
    """
    linear = np.exp(log)
    even = np.log(cv2.GaussianBlur(linear, (0, 0), 1.0))  # of light: logarithms' mean would move the edge
    step = max(1, len(log) // 43)
    even, smooth = even[::step, ::step], smooth[::step, ::step]
    basis = np.linalg.qr(smooth.reshape(even.shape[0] * even.shape[1], -1).astype(np.float64))[0]
    flat = even.reshape(len(basis), -1).astype(np.float64)
    # einsum: BLAS would start threads for these small products
    unexplained = flat - np.einsum("pk,kc->pc", basis, np.einsum("pk,pc->kc", basis, flat))
    before = float((unexplained**2).sum())
    if before < _EVEN**2 * unexplained.size:
        return None
    smooth_terms = basis.shape[1]
    targets = np.concatenate([basis, unexplained], axis=1)
    # Every `step`-th pixel, whose place is its own and not that of the pixels that are left out.
    y, x = (np.mgrid[: len(log) : step, : len(log) : step].astype(np.float32) + 0.5) / len(log) - 0.5

    def model(values: Array) -> tuple[Array, float]:
        """The best depth of each channel for (angle, offset, log width), and what remains unexplained."""
        soft = np.hypot(np.exp(np.clip(values[2], -7, -1.5)), _SOFTENED / len(log))
        across = np.cos(values[0]) * x + np.sin(values[0]) * y - values[1]
        hidden = 1 / (1 + np.exp(np.clip(across * np.float32(1 / soft), -30, 30)))
        dark = np.log1p((1 / np.e - 1) * hidden).ravel()  # of a lamp that is darker by a factor of e
        products = np.einsum("p,pk->k", dark, targets)
        # What `smooth` explains of the shadow itself is none of its depth.
        own = max(float(dark @ dark) - float((products[:smooth_terms] ** 2).sum()), 1e-9)
        return products[smooth_terms:] / own, before - float((products[smooth_terms:] ** 2).sum()) / own

    best: Shadow | None = None
    left = _EXPLAINED * before
    for shadow in find_shadows(linear):
        start = np.array(
            [np.arctan2(shadow.normal[1], shadow.normal[0]), shadow.offset, np.log(shadow.width)]
        )
        values = _descended(lambda at: model(at)[1], start)
        depth, remains = model(values)
        if remains < left and depth.mean() > _MIN_STEP and np.ptp(depth) < _MAX_TINT * depth.mean():
            left = remains
            normal = (float(np.cos(values[0])), float(np.sin(values[0])))
            best = Shadow(normal, float(values[1]), float(np.exp(np.clip(values[2], -7, -1.5))), depth)
            if left < _SURE * before:
                break
    return best


def _descended(cost: Callable[[Array], float], start: Array) -> Array:
    """`start` moved to a nearby minimum, one coordinate after the other with shrinking steps."""
    steps = np.array([0.06, 0.02, 0.7])
    values, lowest = start.astype(np.float64), cost(start)
    for _ in range(10):
        for axis in range(3):
            for sign in (1, -1):
                tried = values.copy()
                tried[axis] += sign * steps[axis]
                found = cost(tried)
                if found < lowest:
                    values, lowest = tried, found
                    break
        steps *= 0.7
    return values


def _score(turned: Array, lines: "_Lines") -> Array:
    """For each column, how well the steps across it agree, times the step; 0 where it is no shadow's edge."""
    score = np.zeros(turned.shape[1])
    if not len(lines.count):
        return score
    turned = cv2.GaussianBlur(turned, (0, 0), sigmaX=0.01, sigmaY=2.5)  # along the line: grain averages out
    first, last = lines.first, lines.first + len(lines.count)
    step = cv2.subtract(turned[:, first + _REACH : last + _REACH], turned[:, first - _REACH : last - _REACH])
    # Hardly any column has a step at all: only those whose median is one are looked at more closely.
    half = lines.count // 2
    deep = _counted(step, cv2.CMP_GT, _MIN_STEP, lines.valid) >= lines.count - half
    deep |= _counted(step, cv2.CMP_LT, -_MIN_STEP, lines.valid) > half
    if not deep.any():
        return score
    columns = first + np.flatnonzero(deep)
    step, valid, count = step[:, deep], lines.valid[:, deep] > 0, lines.count[deep]
    ordered = np.sort(np.where(valid, step, np.inf), axis=0)
    common = ordered[count // 2, np.arange(len(columns))]  # the median
    ratio = step / common
    like = (ratio > 0.3) & (ratio < 2.2) & valid
    agree = like.sum(axis=0) / count
    # A swatch's side ends inside the picture, a shadow's edge at the picture's border.
    place = np.cumsum(valid, axis=0) / count
    for end in (place < _END, place > 1 - _END):
        end &= valid
        agree = np.where(like.sum(axis=0, where=end) < 0.6 * end.sum(axis=0), 0, agree)
    enough = (np.abs(common) < _MAX_STEP) & (agree > _AGREE)
    score[columns] = np.where(enough, agree**4 * np.minimum(np.abs(common), 0.6), 0)
    return score


@dataclass(frozen=True)
class _Lines:
    """The K columns, from `first` on, of a turned picture that are long enough for a shadow's edge.

    valid: (rows, K) uint8, 255 where both sides of the step lie in the picture. count: of these, (K,).
    """

    first: int
    valid: Array
    count: Array


def _measured(log: Array, turn: int, column: int) -> Shadow | None:
    """Direction, place, width and depth of the edge near a column of the picture turned by `turn`."""
    height, width = log.shape[:2]
    found: list[tuple[float, float, float, Array, float]] = []
    for finer in np.linspace(-3, 3, 13):
        matrix, seen = _turned((width, height), turn + finer)
        turned = cv2.warpAffine(log, matrix, seen.shape[::-1], flags=cv2.INTER_LINEAR)
        low, high = max(1, column - 2 * _REACH), min(turned.shape[1] - 1, column + 2 * _REACH + 1)
        rows = seen[:, low - 1] & seen[:, high]
        if rows.sum() < _MIN_LENGTH * min(height, width) * 0.7:
            continue
        slope = (turned[rows, low : high + 1] - turned[rows, low - 1 : high]).astype(np.float32)
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
    if not _MIN_STEP < depth.mean() < _MAX_STEP or np.ptp(depth) > _MAX_TINT * depth.mean():
        return None
    radians = angle * np.pi / _TURNS
    diagonal = int(np.ceil(np.hypot(width, height)))
    normal = (float(np.cos(radians) * sign), float(np.sin(radians) * sign))
    offset = (middle - (diagonal - 1) / 2) * sign / max(width, height)
    soft = np.sqrt(max(spread**2 - 0.9**2, 0.05)) * np.sqrt(3) / np.pi
    return Shadow(normal, float(offset), float(soft / max(width, height)), depth)


@lru_cache(maxsize=8 * _TURNS)
def _mask(size: tuple[int, int], turn: float) -> tuple[Array, Array]:
    width, height = size
    diagonal = int(np.ceil(np.hypot(width, height)))
    radians = turn * np.pi / _TURNS
    cos, sin = np.cos(radians), np.sin(radians)
    # The line's normal becomes the x axis.
    matrix = np.array([[cos, sin, 0.0], [-sin, cos, 0.0]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix[:, 2] = (diagonal - 1) / 2 - matrix[:, :2] @ middle
    ones = np.full((height, width), 255, np.uint8)
    seen = cv2.warpAffine(ones, matrix, (diagonal, diagonal), flags=cv2.INTER_LINEAR) == 255
    return matrix, seen


@lru_cache(maxsize=2 * _TURNS)
def _lines(size: tuple[int, int], turn: int) -> _Lines:
    _, seen = _turned(size, turn)
    valid = np.zeros(seen.shape, bool)
    valid[:, _REACH:-_REACH] = seen[:, 2 * _REACH :] & seen[:, : -2 * _REACH]
    count = valid.sum(axis=0)
    long = np.flatnonzero(count > _MIN_LENGTH * min(len(seen), SIDE) * 0.7)
    columns = slice(int(long[0]), int(long[-1]) + 1) if len(long) else slice(_REACH, _REACH)
    within: Array = np.ascontiguousarray(valid[:, columns]) * np.uint8(255)
    return _Lines(columns.start, within, count[columns])


def _counted(step: Array, than: int, limit: float, valid: Array) -> Array:
    """How many valid values of each column are greater or less `than` the limit."""
    found = cv2.bitwise_and(cv2.compare(step, limit, than), valid)
    total: Array = cv2.reduce(found, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0] // 255
    return total


def _turned(size: tuple[int, int], turn: float) -> tuple[Array, Array]:
    """The affine map that turns a picture of `size` by `turn` steps, and where the result shows it."""
    return _mask(size, float(turn))
