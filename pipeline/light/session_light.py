"""Keeps the light of a session's last keyframe for its next one, so that a garment does not flicker.

Between two nearly equal keyframes the model's light varies by a percent or two. So the next keyframe gets the
last one's light E, moved as the shoulders have moved, and `postprocess` keeps E wherever its own light R
(relighting.py) agrees with it:

    light = min(max(E, R − s), R + s)        s = slack · (1 − motion / jump), not below 0

This is a deadband (hysteresis), not a running mean: a still picture gives the same bytes from the first
answer on, the error is never larger than s, and a lamp that is switched on is visible at once.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.garment.pose import SHOULDERS
from pipeline.light.relighting import NO_LIGHT
from pipeline.session_cache import SessionCache

# s for a person who does not move. It is in logarithms: 3 % of brightness. While a person sways, the lights
# of lucy-tiny's keyframes differ by 0.5 % on average, and by 2.3 % at the 99th percentile.
SLACK = 0.03
# In shoulder widths: the light of a person who has moved this far is not kept.
JUMP = 0.5


@dataclass(frozen=True)
class View:
    """What decides whether an earlier light is still valid.

    choices: fabric, prompt and seed; if one changes, the light changes.
    size: (width, height) of the frame in pixels.
    crop: x, y, width, height of the light's window, in pixels of the frame.
    landmarks: (33, 4) as in README.md; all zero: no pose.
    """

    choices: tuple[Hashable, ...]
    size: tuple[int, int]
    crop: tuple[int, int, int, int]
    landmarks: np.ndarray

    @property
    def shoulders(self) -> np.ndarray | None:
        """(2, 2) in pixels of the frame; None unless both are seen there."""
        shoulders = self.landmarks[list(SHOULDERS)]
        x_y, visibility = shoulders[:, :2].astype(np.float64), shoulders[:, 3]
        seen = (x_y > 0).all() and (x_y < 1).all() and (visibility > 0.5).all()  # False for NaN
        return x_y * self.size if seen and np.ptp(x_y, axis=0).max() > 0.02 else None


class SessionLights:
    """The last light of each of `max_sessions` sessions."""

    def __init__(self, max_sessions: int, clock: Callable[[], float] = time.monotonic):
        self._kept: SessionCache[tuple[View, np.ndarray]] = SessionCache(max_sessions, clock)

    def __len__(self) -> int:
        return len(self._kept)

    def earlier(self, session: str | None, view: View) -> np.ndarray:
        """`earlier_light` for a keyframe with this view, (H, W, 4): E and s; NO_LIGHT if none is valid."""
        kept = self._kept.get(session)
        if kept is None:
            return NO_LIGHT
        before, light = kept
        if (before.choices, before.size) != (view.choices, view.size):
            return NO_LIGHT
        if before.shoulders is None or view.shoulders is None:
            return NO_LIGHT
        slack = SLACK * (1 - motion(before.shoulders, view.shoulders) / JUMP)
        if slack <= 0:
            return NO_LIGHT
        return moved(light, before, view, similarity(before.shoulders, view.shoulders), slack)

    def keep(self, session: str, view: View, light: np.ndarray) -> None:
        """light: (H, W, 3) float32, which `postprocess` applied to the garment."""
        self._kept.keep(session, (view, light))


def motion(before: np.ndarray, now: np.ndarray) -> float:
    """The larger distance that one of the shoulders, (2, 2), has moved, in shoulder widths."""
    return float(np.linalg.norm(now - before, axis=1).max() / np.linalg.norm(before[1] - before[0]))


def similarity(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """The similarity transform, (3, 3), that maps two points, (2, 2), to two others."""
    # In the complex plane a similarity transform is z → factor · z + shift.
    start, end = (points @ (1, 1j) for points in (before, now))
    factor = (end[1] - end[0]) / (start[1] - start[0])
    shift = end[0] - factor * start[0]
    a, b = factor.real, factor.imag
    return np.array([[a, -b, shift.real], [b, a, shift.imag], [0, 0, 1]])


def moved(light: np.ndarray, before: View, now: View, move: np.ndarray, slack: float) -> np.ndarray:
    """`light`, (H, W, 3), moved from the crop of the view `before` to that of the view `now`, and the slack,
    which is 0 where there was no light: (H, W, 4) float32. move: (3, 3), of the frame from then to now."""
    height, width = light.shape[:2]
    known = np.dstack([light, np.full((height, width), slack, np.float32)])
    matrix = (
        np.linalg.inv(_onto_frame(now.crop, (width, height)))
        @ move
        @ _onto_frame(before.crop, (width, height))
    )
    if np.allclose(matrix, np.eye(3), atol=1e-6):
        return known
    return cv2.warpAffine(known, matrix[:2], (width, height), flags=cv2.INTER_LINEAR)


def _onto_frame(crop: tuple[int, int, int, int], size: tuple[int, int]) -> np.ndarray:
    """The matrix from pixels of a picture of `size` (width, height) to its crop on the frame: (3, 3)."""
    x, y, *lengths = crop
    scale_x, scale_y = np.divide(lengths, size)
    return np.array([[scale_x, 0, x + (scale_x - 1) / 2], [0, scale_y, y + (scale_y - 1) / 2], [0, 0, 1]])
