"""Finds a weave's repeat: its period across and down to a fraction of a pixel, with a confidence.

The autocorrelation of a periodic image peaks at every multiple of its period. It is the Fourier transform of
the power spectrum (Wiener-Khinchin), so it uses the spectral peaks, too. Warp and weft cross at right angles,
so the repeat is searched in a wedge around each axis. The position of the peaks in the wedge gives the
photo's rotation.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from fabric import fourier
from fabric.shrink import shrink

WEDGE = np.tan(np.radians(12))
LARGEST = 1024  # pixels per side; threads that vanish at this size would be too small for the maps, too
MIN_PERIOD = 4.0
MIN_CONFIDENCE = 0.12
SINGLE_CONFIDENCE = 0.4  # if only one multiple is within reach, which may be a coincidence
_CANDIDATES = 40
MAX_SKEW = 2.0  # degrees; two repeats that are farther from a right angle are no pair of one cloth
MAX_DETOUR = 2.0  # the longest right-angled repeat, relative to the shortest (slanted) one


@dataclass(frozen=True)
class Repeat:
    """vector: (x, y) in pixels from a point to the next point that looks the same.

    confidence: the correlation of the cloth with itself at this shift minus that at half the shift; 0 to 1.
    """

    vector: tuple[float, float]
    confidence: float

    @property
    def period(self) -> float:
        return float(np.hypot(*self.vector))

    def scaled(self, factor: float) -> "Repeat":
        return Repeat((self.vector[0] * factor, self.vector[1] * factor), self.confidence)


def find_repeats(grey: np.ndarray) -> tuple[Repeat | None, Repeat | None]:
    """The repeats along x and y of a square greyscale image (N, N) uint8; None along an axis without one.

    A rotated twill also repeats along many slanted shifts. The result is the shortest pair at a right angle.
    If there is no such pair, as with stripes, it is only the shortest repeat.
    """
    scale = max(1.0, len(grey) / LARGEST)
    if scale > 1:
        grey = shrink(grey, LARGEST, LARGEST)
    else:
        side = fourier.smooth_size(len(grey))
        first = (len(grey) - side) // 2
        grey = grey[first : first + side, first : first + side]
    across, down = _shortest(autocorrelation(grey.astype(np.float32)))
    return across and across.scaled(scale), down and down.scaled(scale)


def _shortest(correlation: np.ndarray) -> tuple[Repeat | None, Repeat | None]:
    across, down = (_candidates(_wedge(matrix)) for matrix in (correlation, correlation.T))
    down = [Repeat((repeat.vector[1], repeat.vector[0]), repeat.confidence) for repeat in down]
    best = min(across + down, key=lambda repeat: repeat.period, default=None)
    together = np.add.outer([repeat.period for repeat in across], [repeat.period for repeat in down])
    together[_skew(across, down) > MAX_SKEW] = np.inf
    if best and together.min(initial=np.inf) < np.inf:
        i, j = np.unravel_index(together.argmin(), together.shape)
        pair = across[i], down[j]
        if pair[0 if best in across else 1].period <= MAX_DETOUR * best.period:
            return pair
    return (best if best in across else None), (best if best in down else None)


def _skew(across: list[Repeat], down: list[Repeat]) -> np.ndarray:
    """The deviation of each pair from a right angle, in degrees: (len(across), len(down))."""
    one, other = (np.array([r.vector for r in repeats]).reshape(-1, 2) for repeats in (across, down))
    length = np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1))
    return np.degrees(np.abs(np.arcsin(np.einsum("ai,bi->ab", one, other) / length)))


def autocorrelation(grey: np.ndarray) -> np.ndarray:
    """Windowed autocorrelation (N, N): 1 at the shift (0, 0), which is at [N // 2, N // 2].

    Slow variation is removed, outliers are clipped, and a Hann window is applied. The result is divided by
    the window's own autocorrelation.
    """
    side = len(grey)
    slow = cv2.GaussianBlur(cv2.resize(grey, (128, 128), interpolation=cv2.INTER_AREA), (0, 0), 128 / 6)
    detail = grey - cv2.resize(slow, (side, side), interpolation=cv2.INTER_LINEAR)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(detail))
    limit = 3 * deviation + 1e-9
    window, window_correlation = _window(side)
    np.clip(detail, -limit, limit, out=detail)
    detail -= mean
    detail *= window
    correlation = np.fft.fftshift(fourier.correlation(detail))
    largest = max(correlation[side // 2, side // 2], 1e-12)
    return cv2.divide(correlation, window_correlation, scale=1 / largest)


@lru_cache(maxsize=4)
def _window(side: int) -> tuple[np.ndarray, np.ndarray]:
    hann = np.hanning(side).astype(np.float32)
    power = np.abs(np.fft.rfft(hann, 2 * side)) ** 2
    line = np.fft.fftshift(np.fft.irfft(power, 2 * side))[side // 2 : side // 2 + side]
    line = line / line.max()
    return np.outer(hann, hann), np.maximum(np.outer(line, line), 0.02).astype(np.float32)


def _wedge(correlation: np.ndarray) -> np.ndarray:
    """The correlation at the shifts around +x; the zero shift is in the middle of the first column."""
    centre = len(correlation) // 2
    reach = int(centre * 0.72)  # beyond it, the overlap of the windows is too small
    half = int(reach * WEDGE) + 2
    return np.ascontiguousarray(correlation[centre - half : centre + half + 1, centre : centre + reach + 1])


def _candidates(field: np.ndarray) -> list[Repeat]:
    """The shifts near +x whose multiples all correlate, nearly as well as those of the best shift."""
    half, reach = len(field) // 2, field.shape[1] - 1
    y, x = np.ogrid[-half : half + 1, : reach + 1]
    highest = cv2.dilate(field, np.ones((3, 3), np.uint8))  # the maximum of each pixel and its neighbours
    peaks = (field == highest) & (np.abs(y) <= np.maximum(x * WEDGE, 1.5))
    peaks &= (x >= MIN_PERIOD) & (field > 0.05)
    rows, columns = np.nonzero(peaks)
    # An even cloth has hundreds of equal peaks: keep the nearest of them, too.
    height = field[rows, columns]
    nearest = np.argsort(columns, kind="stable")
    nearest = nearest[height[nearest] >= 0.5 * height.max(initial=0)]
    chosen = np.union1d(np.argsort(-height, kind="stable")[:_CANDIDATES], nearest[:_CANDIDATES])
    vectors = _refined(field, np.column_stack([columns, rows - half])[chosen].astype(np.float64))
    likeness, contrast = _score(highest, vectors)
    needed = np.where(2 * vectors[:, 0] < reach, MIN_CONFIDENCE, SINGLE_CONFIDENCE)
    likeness = np.where(contrast >= needed, likeness, 0)
    limit = max(0.8 * likeness.max(initial=0), 1e-6)
    return [
        Repeat(_across_stripe(field, half, tuple(vectors[i].tolist())), min(float(contrast[i]), 1.0))
        for i in np.flatnonzero(likeness >= limit)
    ]


def _score(highest: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean correlation at the multiples of each vector, and its difference to that halfway between them.

    vectors: (N, 2). highest: the correlation, at each shift the maximum of the neighbouring pixels.
    Both are 0 if one of the first multiples does not correlate, as with a coincidence. Only the first few
    multiples count, because hand-made cloth drifts.
    """
    steps = np.arange(1, 5)
    within = steps * vectors[:, :1] <= highest.shape[1] - 2  # (N, 4)
    count = np.maximum(within.sum(axis=1), 1)
    mean = []
    for factors in (steps, steps - 0.5):
        column, row = np.rint(factors * vectors[:, :, None]).astype(int).transpose(1, 0, 2)
        row += len(highest) // 2
        there = within & (row >= 0) & (row < len(highest))
        values = np.where(there, highest[row * there, column * there], 0)
        mean.append(values.sum(axis=1) / count)
        if factors is steps:
            first = np.where(within[:, :3], values[:, :3], np.inf).min(axis=1)
            real = within[:, 0] & (first >= 0.25 * values.max(axis=1))
    return mean[0] * real, (mean[0] - mean[1]) * real


def _across_stripe(field: np.ndarray, half: int, vector: tuple[float, float]) -> tuple[float, float]:
    """The shortest shift to a stripe's ridge, if `vector` lies on one; else `vector`.

    Every shift along a stripe lies on its ridge, so the peak along it is arbitrary.
    """
    length = np.hypot(*vector)
    reach = int(length * WEDGE)
    if reach < 2:
        return vector
    peak = field[round(vector[1]) + half, round(vector[0])]
    ridge = []
    for row in range(half - reach, half + reach + 1):
        low = max(round(vector[0] - length * WEDGE / 2 - 2), 1)
        line = field[row, low : round(vector[0] + length * WEDGE / 2) + 3]
        column = low + int(line.argmax())
        if line.max() < 0.85 * peak or column + 1 >= field.shape[1]:
            return vector
        ridge.append((row, column))
    rows, columns = np.array(ridge).T
    x, y = columns + vertex(*(field[rows, columns + side] for side in (-1, 0, 1))), rows - half
    nearest = np.hypot(x, y).argmin()
    return float(x[nearest]), float(y[nearest])


def _refined(field: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """`vectors` (N, 2) to a fraction of a pixel: larger multiples have peaks that are more exact."""
    half, (height, width) = len(field) // 2, field.shape
    vectors = vectors.copy()
    around = np.arange(-3, 4)
    going, step = np.arange(len(vectors)), 1  # vectors whose next multiple is still to be examined
    while len(going):
        x, y = vectors[going].T
        radius = np.clip((x / 4).astype(int), 1, 3)
        column, row = np.rint([x * step, y * step]).astype(int)
        row += half
        # The maximum within the radius: (N, 7, 7).
        columns = np.clip(column[:, None] + around, 0, width - 1)
        rows = np.clip(row[:, None] + around, 0, height - 1)
        near = np.abs(around) <= radius[:, None]
        patch = np.where(near[:, :, None] & near[:, None], field[rows[:, :, None], columns[:, None]], -np.inf)
        best = patch.reshape(-1, around.size**2).argmax(axis=1)
        each = np.arange(len(going))
        peak_r, peak_c = rows[each, best // around.size], columns[each, best % around.size]
        start = field[np.rint(y).astype(int) + half, np.rint(x).astype(int)]
        found = (column + radius < width) & (row + radius < height) & (row + radius >= 0)
        found &= (peak_r > 0) & (peak_r < height - 1) & (peak_c > 0) & (peak_c < width - 1)
        found &= field[peak_r, peak_c] >= 0.3 * start
        going, r, c = going[found], peak_r[found], peak_c[found]
        dx = vertex(*(field[r, c + side] for side in (-1, 0, 1)))
        dy = vertex(*(field[r + side, c] for side in (-1, 0, 1)))
        vectors[going] = np.column_stack([c + dx, r - half + dy]) / step
        step *= 2
    return vectors


def vertex(left: np.ndarray, middle: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The peak of the parabola through three neighbours, -0.5 to 0.5 from the middle one."""
    curve = np.minimum(left - 2.0 * middle + right, -1e-12)
    return np.clip((left - right) / (2.0 * curve), -0.5, 0.5)
