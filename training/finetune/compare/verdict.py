"""Decibels of base and tuned against the photos, and whether the tuned one may be published."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.finetune.compare.answers import MODES
from training.finetune.compare.measured import Measured


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


def compared(base: Measured, tuned: Measured) -> Side:
    """base, tuned: of the same rows."""
    return Side({mode: tuned.decibels[mode] - base.decibels[mode] for mode in MODES}, base.decibels)


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
