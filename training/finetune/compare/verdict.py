"""Decibels of base and tuned against the photos, and whether the tuned one may be published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipeline.resize import size_of
from training.finetune.compare.answers import MODES

_SIDE = 320  # of a picture on the sheet

Answers = Sequence[Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Side:
    """What one dataset shows.

    gains: of each mode and row, tuned less base, in decibels within the garment.
    base: of each mode and row.
    """

    gains: dict[str, np.ndarray]
    base: dict[str, np.ndarray]

    def mean_gain(self, mode: str) -> float:
        return float(self.gains[mode].mean())

    def told(self) -> dict[str, Any]:
        return {
            mode: {
                "base": round(float(self.base[mode].mean()), 2),
                "gain": round(self.mean_gain(mode), 2),
                "worst row": round(float(self.gains[mode].min()), 2),
                "better rows": f"{int((self.gains[mode] > 0).sum())} of {len(self.gains[mode])}",
            }
            for mode in MODES
        }


def compared(
    base: Answers, tuned: Answers, photos: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> Side:
    """photos: (H, W, 3) BGR uint8, of the answers' sizes. masks: (H, W) uint8, the garment's coverage."""
    before = {mode: _decibels(base, mode, photos, masks) for mode in MODES}
    after = {mode: _decibels(tuned, mode, photos, masks) for mode in MODES}
    return Side({mode: after[mode] - before[mode] for mode in MODES}, before)


def _decibels(
    answers: Answers, mode: str, photos: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> np.ndarray:
    found = []
    for answer, photo, mask in zip(answers, photos, masks, strict=True):
        where = mask > 127
        error = (answer[mode][where].astype(np.float64) - photo[where]) ** 2
        found.append(10 * np.log10(255**2 / max(float(error.mean()), 1e-9)))
    return np.array(found)


def faults(validation: Side, elsewhere: Side | None, least_gain: float, most_lost: float) -> list[str]:
    """Why the tuned checkpoint must not be published; none if it may.

    least_gain: in decibels, of each mode on the rows that were measured. most_lost: elsewhere.
    """
    found = [
        f"a {mode} of the measured rows gains {gain:+.2f} dB, and {least_gain:+.2f} are wanted"
        for mode in MODES
        if (gain := validation.mean_gain(mode)) < least_gain
    ]
    if elsewhere is not None:
        found += [
            f"a {mode} elsewhere changes by {gain:+.2f} dB, and a loss of {most_lost:.2f} is allowed"
            for mode in MODES
            if (gain := elsewhere.mean_gain(mode)) < -most_lost
        ]
    return found


def sheet(
    persons: Sequence[np.ndarray], base: Answers, tuned: Answers, photos: Sequence[np.ndarray], mode: str
) -> np.ndarray:
    """person, base, tuned, photo: a row of the dataset in each row. BGR uint8."""
    rows = [
        np.hstack([_fitted(it) for it in (person, before[mode], after[mode], photo)])
        for person, before, after, photo in zip(persons, base, tuned, photos, strict=True)
    ]
    return np.vstack(rows)


def _fitted(picture: np.ndarray) -> np.ndarray:
    width, height = size_of(picture)
    scale = _SIDE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    canvas = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    top, left = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas
