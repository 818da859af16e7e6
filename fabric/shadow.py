"""The straight edge of a cast shadow, as a window frame, a shelf or the photographer throws it.

A shadow divides all colours by one factor on one side of a line, on cloth and table alike, and its edge runs
across the whole picture. The edge of a swatch does not. The line is searched among many directions by how
many of the steps across it agree (a Radon transform of steps); then its place, width and depth are measured
on the mean profile across it.
"""

from collections.abc import Callable
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
        longer = max(height, width)
        y = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - height / 2) / longer
        x = (np.arange(width, dtype=np.float32)[None] + 0.5 - width / 2) / longer
        across = (x * self.normal[0] + y * self.normal[1] - self.offset) / max(self.width, 1e-4)
        share = 1 / (1 + np.exp(np.clip(across, -30, 30)))
        return log_light(share, self.depth)


def log_light(share: Array, depth: Array) -> Array:
    """The logarithm of the light where a `share` of the lamp is hidden: what adds up is light."""
    mean = max(float(depth.mean()), 1e-3)
    one = np.log1p(-(1 - np.exp(-mean)) * share) / mean
    found: Array = one[..., None].astype(np.float32) * depth.astype(np.float32)
    return found


def find_shadows(linear: Array) -> list[Shadow]:
    """Straight shadows that linear RGB (H, W, 3) float32 may show, the likeliest first.

    A shadow's edge crosses the whole picture. At most `MOST` are returned; that of a swatch whose side is
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
        scores.append(_score(cv2.warpAffine(grey, matrix, seen.shape[::-1], flags=cv2.INTER_LINEAR), seen))
    found: list[Shadow] = []
    field = np.array(scores)  # (turns, columns)
    for _ in range(2 * MOST):
        turn, column = (int(i) for i in np.unravel_index(field.argmax(), field.shape))
        if field[turn, column] == 0 or len(found) == MOST:
            break
        shadow = _measured(log, turn, column)
        if shadow:
            found.append(shadow)
        # After half a turn the same line lies at the mirrored column.
        for near in range(turn - _APART, turn + _APART + 1):
            middle = column if 0 <= near < _TURNS else field.shape[1] - 1 - column
            field[near % _TURNS, max(0, middle - 2 * _REACH) : middle + 2 * _REACH + 1] = 0
    return found


def stretched(shadow: Shadow, aspect: float) -> Shadow:
    """A square picture's shadow in a picture whose width is `aspect` times its height."""
    longer = max(aspect, 1.0)
    x, y = shadow.normal[0] * longer / aspect, shadow.normal[1] * longer
    length = float(np.hypot(x, y))
    return Shadow((x / length, y / length), shadow.offset / length, shadow.width / length, shadow.depth)


def fit_shadow(log: Array, smooth: Array) -> Shadow | None:
    """The shadow on one even cloth, from the logarithm of its light (N, N, C); None where there is none.

    smooth: (N, N, K) an orthonormal basis of the light's slow variation, fitted together with the shadow. It
    is a shadow only if it explains most of what `smooth` alone does not; the edge of a print does not.
    """
    even = cv2.GaussianBlur(log, (0, 0), 1.0)
    step = max(1, len(log) // 43)
    even, basis = even[::step, ::step], smooth[::step, ::step] * step
    flat_basis = basis.reshape(-1, basis.shape[-1])

    def rest(values: Array) -> Array:
        flat = values.reshape(len(flat_basis), -1)
        # einsum: BLAS would start threads for this small product
        weights = np.einsum("pk,pc->kc", flat_basis, flat)
        left: Array = flat - np.einsum("pk,kc->pc", flat_basis, weights)
        return left

    def model(values: Array) -> tuple[Array, Array]:
        """The best depth of each channel for (angle, offset, log width), and what it leaves."""
        normal = (float(np.cos(values[0])), float(np.sin(values[0])))
        soft = float(np.hypot(np.exp(np.clip(values[2], -7, -1.5)), _SOFTENED / len(log)))
        unit = np.array([expected], np.float32)
        dark = rest(Shadow(normal, float(values[1]), soft, unit).darkness(*even.shape[:2]) / expected)
        depth = np.einsum("pi,pc->c", dark, unexplained) / max(float((dark**2).sum()), 1e-9)
        return depth, unexplained - dark * depth

    expected = 1.0
    unexplained = rest(even)
    before = float((unexplained**2).sum())
    if before < _EVEN**2 * unexplained.size:
        return None
    best: Shadow | None = None
    left = _EXPLAINED * before
    for shadow in find_shadows(np.exp(log)):
        start = np.array(
            [np.arctan2(shadow.normal[1], shadow.normal[0]), shadow.offset, np.log(shadow.width)]
        )
        values = _descended(lambda at: float((model(at)[1] ** 2).sum()), start)
        depth, remains = model(values)
        if (
            (remains**2).sum() < left
            and depth.mean() > _MIN_STEP
            and np.ptp(depth) < _MAX_TINT * depth.mean()
        ):
            left = float((remains**2).sum())
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


def _score(turned: Array, seen: Array) -> Array:
    """For each column, how well the steps across it agree, times the step; 0 where it is no shadow's edge."""
    step, valid = _steps(turned, seen)
    count = np.maximum(valid.sum(axis=0), 1)
    common = _median(step, valid)
    ratio = step / np.where(np.abs(common) > 1e-6, common, 1)
    like = (ratio > 0.3) & (ratio < 2.2) & valid
    agree = like.sum(axis=0) / count
    # A swatch's side ends inside the picture, a shadow's edge at the picture's border.
    place = np.cumsum(valid, axis=0) / count
    for end in (place < _END, place > 1 - _END):
        end &= valid
        agree = np.where(like.sum(axis=0, where=end) < 0.6 * end.sum(axis=0), 0, agree)
    enough = (count > _MIN_LENGTH * min(len(seen), SIDE) * 0.7) & (np.abs(common) > _MIN_STEP)
    enough &= (np.abs(common) < _MAX_STEP) & (agree > _AGREE)
    score: Array = np.where(enough, agree**4 * np.minimum(np.abs(common), 0.6), 0)
    return score


def _median(values: Array, valid: Array) -> Array:
    """The median of each column's valid values; 0 without any."""
    ordered = np.sort(np.where(valid, values, np.inf), axis=0)
    middle = valid.sum(axis=0) // 2
    found: Array = ordered[middle, np.arange(values.shape[1])]
    return np.where(np.isfinite(found), found, 0)


def _steps(turned: Array, seen: Array) -> tuple[Array, Array]:
    """Brightness `_REACH` pixels to the right minus as far to the left, and where both are in the picture."""
    turned = cv2.GaussianBlur(turned, (0, 0), sigmaX=0.01, sigmaY=2.5)  # along the line: grain averages out
    step, valid = np.zeros_like(turned), np.zeros(turned.shape, bool)
    far = 2 * _REACH
    step[:, _REACH:-_REACH] = turned[:, far:] - turned[:, :-far]
    valid[:, _REACH:-_REACH] = seen[:, far:] & seen[:, :-far]
    return step, valid


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


@lru_cache(maxsize=2 * _TURNS)
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


def _turned(size: tuple[int, int], turn: float) -> tuple[Array, Array]:
    """The affine map that turns a picture of `size` by `turn` steps, and where the result shows it."""
    return _mask(size, float(turn))
