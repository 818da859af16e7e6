"""Compares a garment's silhouette with the body's, for a transparent canvas, which shows no video.

The landmarks give a rough silhouette of a dressed body. A search over shifts and scales, on a picture of
about a hundred pixels, finds the similarity transform under which the garment covers it best.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.garment.pose import Pose
from pipeline.garment.registration import Registration
from pipeline.resize import shrink_within, size_of

# Long side, in pixels, at which silhouettes are compared.
_COMPARE_AT = 128
# Step sizes of the search, from coarse to fine: of shifts, as shares of the frame's width, and of log scales.
_STEPS = (0.02, 0.01, 0.005)
_WIDE_STEPS = (0.1, 0.05, *_STEPS)
_ROUNDS = 6  # per step size: more than any search has needed
# The largest correction of a client's render. One that is further off was put there on purpose.
_LARGEST_CORRECTION = 0.05
# Overlap that one unit of shift or scale must gain: cuts differ, so the body alone is weak evidence.
_COST = 0.5
# Overlap that a correction must gain. No generated jacket that lies right gains it; of those that are off by
# 5 %, four in five do (benchmarks/picture).
_LEAST_GAIN = 0.06
# Overlap that another fit than the usual one must gain.
_LEAST_GAIN_OF_FIT = 0.1
# Below this overlap the garment does not lie on the body at all.
_ON_BODY = 0.45


@dataclass(frozen=True)
class Placement:
    """A similarity transform of the frame: scale by exp(`log_scale`) about `centre`, then shift by `x`, `y`.

    `centre`, `x` and `y` are shares of the frame's width.
    """

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


def moved(registration: Registration, move: np.ndarray, fit: str) -> Registration:
    """A registration that applies `registration` and then `move`, (2, 3), in the frame. fit: its name."""
    return Registration(fit, move @ np.vstack([registration.matrix, (0, 0, 1)]))


def move_of(after: Registration, before: Registration) -> np.ndarray:
    """The move, (2, 3), that makes `after` from `before`."""
    return np.asarray(after.matrix @ np.linalg.inv(np.vstack([before.matrix, (0, 0, 1)])))


class Silhouettes:
    """The silhouettes of a garment and of the body, for a tracked pose.

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
        """A small move that corrects the garment's place; None if it is right, or not on the body at all."""
        before = self.overlap()
        if before < _ON_BODY:
            return None
        best = self._search(Placement(), _STEPS, _LARGEST_CORRECTION, _COST)
        return best if self.overlap(best) - before >= _LEAST_GAIN else None

    def onto_body(self) -> Placement:
        """The move that puts the garment on the body from wherever it is."""
        if not self._garment.any() or not self._body.any():
            return Placement()
        (garment_area, *garment), (body_area, *body) = _moments(self._garment), _moments(self._body)
        (x, y), centre = np.subtract(body, garment) / self._size[0], np.divide(garment, self._size[0])
        start = Placement(x, y, np.log(body_area / garment_area) / 2, tuple(centre))
        return self._search(start, _WIDE_STEPS)

    def _search(
        self, start: Placement, steps: tuple[float, ...], limit: float = np.inf, cost: float = 0
    ) -> Placement:
        """The best placement near `start`, found by coordinate descent."""

        def score(placement: Placement) -> float:
            return self.overlap(placement) - cost * np.abs(placement.values).sum()

        best, best_score = start, score(start)
        for step in steps:
            for _ in range(_ROUNDS):
                before = best_score
                for change in step * np.vstack([np.eye(3), -np.eye(3)]):
                    values = best.values + change
                    if np.abs(values).max() > limit + 1e-9:
                        continue
                    x, y, log_scale = values.tolist()
                    candidate = Placement(x, y, log_scale, start.centre)
                    if (candidate_score := score(candidate)) > best_score:
                        best, best_score = candidate, candidate_score
                if best_score == before:
                    break
        return best


def best_fit(
    fits: list[Registration], alpha: np.ndarray, pose: Pose, size: tuple[int, int]
) -> tuple[Registration, Silhouettes]:
    """The fit under which the canvas lies best on the body; the first unless another is clearly better.

    alpha: the canvas's, (h, w) uint8. size: (width, height) of the frame.
    """
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
    """`mask`, (H, W) uint8, without the pieces that do not touch the body: they are background motion.

    If no piece touches the body the garment was drawn beside it, and the mask is returned unchanged.
    """
    small = (shrink_within(mask, _COMPARE_AT) > 127).view(np.uint8)
    count, labels = cv2.connectedComponents(small)
    if count <= 2:  # the background and one piece
        return mask
    body = pose.at(size_of(small)).body()
    kept = np.isin(labels, np.unique(labels[(body & small) > 0])).view(np.uint8)
    others = cv2.dilate(small & (1 - kept), np.ones((3, 3), np.uint8)) & (1 - kept)
    if not (small & kept).any() or not others.any():
        return mask
    dropped = cv2.resize(others, size_of(mask), interpolation=cv2.INTER_NEAREST)
    return cv2.multiply(mask, 1 - dropped)


def _moments(silhouette: np.ndarray) -> tuple[float, float, float]:
    """Area, and x and y of the centre."""
    moments = cv2.moments(silhouette, binaryImage=True)
    return moments["m00"], moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
