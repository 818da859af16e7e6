"""How a garment's silhouette lies on the body: what a transparent canvas has instead of a background.

The landmarks give a rough silhouette of a dressed body. The similarity that lays the garment on it best is
found by stepping through shifts and scales, all on a picture of about a hundred pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.garment.pose import Pose
from pipeline.garment.registration import Registration
from pipeline.resize import shrink_within, size_of

# Long side, in pixels, at which silhouettes are compared.
_COMPARE_AT = 128
# Shifts, as shares of the frame's width, and logarithms of scales that are tried, from coarse to fine.
_STEPS = (0.02, 0.01, 0.005)
_WIDE_STEPS = (0.1, 0.05, *_STEPS)
_ROUNDS = 6  # at each step: more than a search has needed
# What a client's render is moved by at most. Beyond it was meant to lie where it lies.
_LARGEST_CORRECTION = 0.05
# Overlap that a unit of shift or scale has to earn: cuts differ, so the body alone is weak evidence.
_COST = 0.5
# A correction must earn this much overlap. On generated jackets that lie right none does; of those that
# are off by 5 %, four in five do (benchmarks/picture.py).
_LEAST_GAIN = 0.06
# Another fit than the usual one must earn this much.
_LEAST_GAIN_OF_FIT = 0.1
# Below this overlap the garment does not lie on the body at all.
_ON_BODY = 0.45


@dataclass(frozen=True)
class Placement:
    """A similarity of the frame: scale by exp(`log_scale`) about `centre`, then shift by `x`, `y`; all but
    the scale as shares of the frame's width."""

    x: float = 0.0
    y: float = 0.0
    log_scale: float = 0.0
    centre: tuple[float, float] = (0.5, 0.5)

    @property
    def values(self) -> np.ndarray:
        """x, y, log_scale."""
        return np.array([self.x, self.y, self.log_scale])

    def matrix(self, width: int) -> np.ndarray:
        """(2, 3), for a frame of `width` pixels."""
        scale = np.exp(self.log_scale)
        x, y = (width * (self.values[:2] + (1 - scale) * np.array(self.centre))).tolist()
        return np.array([[scale, 0, x], [0, scale, y]])

    def after(self, registration: Registration, width: int, fit: str) -> Registration:
        """The canvas laid on the frame, then moved; called `fit`."""
        return Registration(fit, self.matrix(width) @ np.vstack([registration.matrix, (0, 0, 1)]))


class Silhouettes:
    """A garment's and the body's, side by side, for a pose that is tracked.

    mask: (H, W) uint8, the garment's coverage of the frame.
    """

    def __init__(self, mask: np.ndarray, pose: Pose):
        self._garment = (shrink_within(mask, _COMPARE_AT) > 127).view(np.uint8)
        self._size = size_of(self._garment)
        self._body = pose.at(self._size).body()

    def overlap(self, placement: Placement | None = None) -> float:
        """Intersection over union of the body and the garment where `placement` puts it."""
        garment = self._garment
        if placement is not None:
            matrix = placement.matrix(self._size[0])
            garment = cv2.warpAffine(garment, matrix, self._size, flags=cv2.INTER_NEAREST)
        union = cv2.countNonZero(garment | self._body)
        return cv2.countNonZero(garment & self._body) / max(union, 1)

    def correction(self) -> Placement | None:
        """The small move that lays the garment right; None where it lies right, or not on the body."""
        before = self.overlap()
        if before < _ON_BODY:
            return None
        best = self._search(Placement(), _STEPS, _LARGEST_CORRECTION, _COST)
        return best if self.overlap(best) - before >= _LEAST_GAIN else None

    def onto_body(self) -> Placement:
        """The move that lays the garment on the body from wherever it is."""
        if not self._garment.any() or not self._body.any():
            return Placement()
        (garment_area, *garment), (body_area, *body) = _moments(self._garment), _moments(self._body)
        (x, y), centre = np.subtract(body, garment) / self._size[0], np.divide(garment, self._size[0])
        start = Placement(x, y, np.log(body_area / garment_area) / 2, tuple(centre))
        return self._search(start, _WIDE_STEPS)

    def _search(
        self, start: Placement, steps: tuple[float, ...], limit: float = np.inf, cost: float = 0
    ) -> Placement:
        """The best placement near `start`, by coordinate descent."""

        def worth(placement: Placement) -> float:
            return self.overlap(placement) - cost * np.abs(placement.values).sum()

        best, best_worth = start, worth(start)
        for step in steps:
            for _ in range(_ROUNDS):
                before = best_worth
                for change in step * np.vstack([np.eye(3), -np.eye(3)]):
                    values = best.values + change
                    if np.abs(values).max() > limit + 1e-9:
                        continue
                    x, y, log_scale = values.tolist()
                    candidate = Placement(x, y, log_scale, start.centre)
                    if (candidate_worth := worth(candidate)) > best_worth:
                        best, best_worth = candidate, candidate_worth
                if best_worth == before:
                    break
        return best


def best_fit(
    fits: list[Registration], alpha: np.ndarray, pose: Pose, size: tuple[int, int]
) -> tuple[Registration, Silhouettes]:
    """That of `fits` under which a canvas's `alpha`, (h, w) uint8, lies best on the body; the first unless
    another is clearly better. size: (width, height) of the frame."""
    scale = _COMPARE_AT / max(size)
    small_size = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    small = shrink_within(alpha, 2 * _COMPARE_AT)
    sizes = (size_of(alpha), size_of(small), size, small_size)
    laid = [Silhouettes(fit.rescaled(*sizes).warp(small, small_size), pose) for fit in fits]
    overlaps = [silhouettes.overlap() for silhouettes in laid]
    best = int(np.argmax(overlaps))
    if overlaps[best] <= overlaps[0] + _LEAST_GAIN_OF_FIT:
        best = 0
    return fits[best], laid[best]


def near_body(mask: np.ndarray, pose: Pose) -> np.ndarray:
    """`mask`, (H, W) uint8, without the pieces that do not touch the body: what moved elsewhere in the
    picture. All of it where nothing touches the body: the garment was drawn beside it."""
    small = (shrink_within(mask, _COMPARE_AT) > 127).view(np.uint8)
    count, labels = cv2.connectedComponents(small)
    if count <= 2:  # one piece, and what is around it
        return mask
    body = pose.at(size_of(small)).body()
    kept = np.isin(labels, np.unique(labels[(body & small) > 0])).view(np.uint8)
    others = cv2.dilate(small & (1 - kept), np.ones((3, 3), np.uint8)) & (1 - kept)
    if not (small & kept).any() or not others.any():
        return mask
    dropped = cv2.resize(others, size_of(mask), interpolation=cv2.INTER_NEAREST)
    return cv2.multiply(mask, 1 - dropped)


def _moments(silhouette: np.ndarray) -> tuple[float, float, float]:
    """Area, and the centre's x and y."""
    moments = cv2.moments(silhouette, binaryImage=True)
    return moments["m00"], moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
