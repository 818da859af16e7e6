"""How a weave repeats: its period across and down, sub-pixel, and how sure that is.

The autocorrelation of a periodic image peaks at every multiple of its period (Wiener-Khinchin: it is
the transform of the power spectrum, so this reads the spectral peak too). Warp and weft cross at right
angles, so the repeat is looked for in a wedge about each axis; where in the wedge the peaks lie tells
how far the photo is turned.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy import fft

from fabric.shrink import shrink

WEDGE = np.tan(np.radians(12))
LARGEST = 1024  # pixels a side; the threads of a finer weave are too small for the maps as well
MIN_PERIOD = 4.0
MIN_REPEATS = 3.0
MIN_CONFIDENCE = 0.12
SINGLE_CONFIDENCE = 0.4  # where only one multiple is in reach, it may be a chance likeness
_CANDIDATES = 40
MAX_SKEW = 4.0  # degrees
MAX_DETOUR = 2.0  # by how much the right-angled repeat may exceed the shortest, slanted one


@dataclass(frozen=True)
class Repeat:
    """vector: (x, y) in pixels from a point to the next that looks alike.

    confidence: the correlation of the cloth with itself so far away, less that of half a way; 0 to 1.
    """

    vector: tuple[float, float]
    confidence: float

    @property
    def period(self) -> float:
        return float(np.hypot(*self.vector))

    def scaled(self, factor: float) -> "Repeat":
        return Repeat((self.vector[0] * factor, self.vector[1] * factor), self.confidence)


def find_repeats(grey: np.ndarray) -> tuple[Repeat | None, Repeat | None]:
    """The repeats along x and along y of a square greyscale image (N, N), uint8; None where none is.

    A turned twill repeats along many slanted shifts as well: those wanted are the shortest two at a
    right angle. Where no two are, as with stripes, only the shortest counts.
    """
    scale = max(1.0, len(grey) / LARGEST)
    if scale > 1:
        grey = shrink(grey, LARGEST, LARGEST)
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
    """How far from a right angle each two of them are, in degrees: (len(across), len(down))."""
    one, other = (np.array([r.vector for r in repeats]).reshape(-1, 2) for repeats in (across, down))
    length = np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1))
    return np.degrees(np.abs(np.arcsin(np.einsum("ai,bi->ab", one, other) / length)))


def autocorrelation(grey: np.ndarray) -> np.ndarray:
    """Windowed autocorrelation, 1 at no shift: (N, N), the shift (0, 0) at [N // 2, N // 2].

    The image is freed of what varies slowly and of its outliers, and faded by a Hann window, whose own
    autocorrelation is divided out.
    """
    side = len(grey)
    slow = cv2.GaussianBlur(cv2.resize(grey, (128, 128), interpolation=cv2.INTER_AREA), (0, 0), 128 / 6)
    detail = grey - cv2.resize(slow, (side, side), interpolation=cv2.INTER_LINEAR)
    limit = 3 * detail.std() + 1e-9
    window, window_correlation = _window(side)
    detail = (np.clip(detail, -limit, limit) - detail.mean()) * window
    spectrum = fft.rfft2(detail)
    power = spectrum.real**2 + spectrum.imag**2
    correlation = fft.fftshift(fft.irfft2(power, s=(side, side)))
    correlation /= window_correlation
    return (correlation / max(correlation[side // 2, side // 2], 1e-12)).astype(np.float32)


@lru_cache(maxsize=4)
def _window(side: int) -> tuple[np.ndarray, np.ndarray]:
    hann = np.hanning(side).astype(np.float32)
    power = np.abs(fft.rfft(hann, 2 * side)) ** 2
    line = fft.fftshift(fft.irfft(power, 2 * side))[side // 2 : side // 2 + side]
    line = line / line.max()
    return np.outer(hann, hann), np.maximum(np.outer(line, line), 0.02).astype(np.float32)


def _wedge(correlation: np.ndarray) -> np.ndarray:
    """The correlation at the shifts about +x, no shift in the middle of its first column."""
    centre = len(correlation) // 2
    reach = int(centre * 0.72)  # beyond, too little of the window overlaps
    half = int(reach * WEDGE) + 2
    return np.ascontiguousarray(correlation[centre - half : centre + half + 1, centre : centre + reach + 1])


def _candidates(field: np.ndarray) -> list[Repeat]:
    """The shifts near +x whose multiples all correlate, nearly as well as the best one's."""
    half, reach = len(field) // 2, field.shape[1] - 1
    y, x = np.mgrid[-half : half + 1, : reach + 1]
    highest = cv2.dilate(field, np.ones((3, 3), np.uint8))  # of each pixel and its neighbours
    peaks = (field == highest) & (np.abs(y) <= np.maximum(x * WEDGE, 1.5))
    peaks &= (x >= MIN_PERIOD) & (field > 0.05)
    rows, columns = np.nonzero(peaks)
    # An even cloth has hundreds, all alike: the nearest of those must not be lost among them.
    height = field[rows, columns]
    nearest = np.argsort(columns, kind="stable")
    nearest = nearest[height[nearest] >= 0.5 * height.max(initial=0)]
    chosen = np.union1d(np.argsort(-height, kind="stable")[:_CANDIDATES], nearest[:_CANDIDATES])
    vectors = [_refine(field, half, (float(columns[i]), float(rows[i] - half))) for i in chosen]
    likeness, contrast = _score(highest, np.array(vectors).reshape(-1, 2))
    needed = [MIN_CONFIDENCE if 2 * x < reach else SINGLE_CONFIDENCE for x, _ in vectors]
    likeness = np.where(contrast >= needed, likeness, 0)
    limit = max(0.8 * likeness.max(initial=0), 1e-6)
    return [
        Repeat(_across_stripe(field, half, vectors[i]), min(float(contrast[i]), 1.0))
        for i in np.flatnonzero(likeness >= limit)
    ]


def _score(highest: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean correlation at the multiples of each vector, and by how much it exceeds that half-way between.

    vectors: (N, 2). highest: the correlation, at each shift the best of the nearest pixels.
    Both 0 when one of the first multiples fails, as it does for a chance likeness. Only the first few
    count: hand-made cloth drifts.
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
    """The shortest shift onto a stripe's ridge, which any shift along the stripe reaches; else `vector`."""
    length = np.hypot(*vector)
    reach = int(length * WEDGE)
    if reach < 2:
        return vector
    peak = field[round(vector[1]) + half, round(vector[0])]
    ridge = []
    for row in range(-reach, reach + 1):
        low = max(round(vector[0] - length * WEDGE / 2 - 2), 1)
        line = field[row + half, low : round(vector[0] + length * WEDGE / 2) + 3]
        column = low + int(line.argmax())
        if line.max() < 0.85 * peak or column + 1 >= field.shape[1]:
            return vector
        ridge.append((column + _vertex(*field[row + half, column - 1 : column + 2].tolist()), float(row)))
    return min(ridge, key=lambda point: np.hypot(*point))


def _refine(field: np.ndarray, half: int, vector: tuple[float, float]) -> tuple[float, float]:
    """`vector` to a fraction of a pixel: each multiple's peak in turn, the farthest is the most exact."""
    x, y = vector
    step = 1
    while True:
        column, row = round(x * step), round(y * step) + half
        radius = max(1, min(3, int(x / 4)))
        low_r, low_c = max(row - radius, 0), column - radius
        patch = field[low_r : row + radius + 1, low_c : column + radius + 1]
        if patch.size == 0 or column + radius + 1 > field.shape[1] or row + radius + 1 > field.shape[0]:
            return x, y
        peak_r, peak_c = divmod(int(patch.argmax()), patch.shape[1])
        peak_r, peak_c = peak_r + low_r, peak_c + low_c
        if not (0 < peak_r < field.shape[0] - 1 and 0 < peak_c < field.shape[1] - 1):
            return x, y
        if field[peak_r, peak_c] < 0.3 * field[round(y) + half, round(x)]:
            return x, y
        dx = _vertex(*field[peak_r, peak_c - 1 : peak_c + 2].tolist())
        dy = _vertex(*field[peak_r - 1 : peak_r + 2, peak_c].tolist())
        x, y = (peak_c + dx) / step, (peak_r - half + dy) / step
        step *= 2


def _vertex(left: float, middle: float, right: float) -> float:
    """Where the parabola through three neighbours peaks, -0.5 to 0.5 about the middle."""
    curve = left - 2 * middle + right
    return 0.0 if curve >= 0 else float(min(max((left - right) / (2 * curve), -0.5), 0.5))
