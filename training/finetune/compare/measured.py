"""What is kept of rows' answers: decibels, and small pictures of the first. All of a camera's size would fill
the memory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.resize import size_of
from training.finetune.compare.answers import MODES
from training.finetune.examples import Preparation
from training.finetune.rows import Row
from training.lucy_tiny.metrics import psnr

_SHOWN = 8
_SIDE = 320  # of a picture on the sheet


@dataclass(frozen=True)
class Measured:
    """One checkpoint's answers to a dataset.

    decibels: of each mode and row, against the photo, within the garment.
    shown: of the first rows the person, the answer in each of MODES, and the photo, (320, 320, 3) BGR uint8.
    """

    decibels: dict[str, np.ndarray]
    shown: list[dict[str, np.ndarray]]


def measured(
    rows: Sequence[Row], answers: Iterable[Mapping[str, np.ndarray]], preparation: Preparation
) -> Measured:
    """answers: of each row its picture in each of MODES, (H, W, 3) BGR uint8, as large as its person.

    rows: that the checker has looked at.
    """
    found: dict[str, list[float]] = {mode: [] for mode in MODES}
    shown: list[dict[str, np.ndarray]] = []
    for row, answer in zip(rows, answers, strict=True):
        truth = preparation.of(row)
        for mode in MODES:
            found[mode].append(psnr(answer[mode], truth.photo, truth.mask > 127))
        if len(shown) < _SHOWN:
            pictures = {"person": truth.person, **answer, "photo": truth.photo}
            shown.append({name: _fitted(picture) for name, picture in pictures.items()})
    return Measured({mode: np.array(column) for mode, column in found.items()}, shown)


def sheet(base: Measured, tuned: Measured, mode: str) -> np.ndarray:
    """person, base, tuned, photo: a row of the dataset in each row. BGR uint8."""
    rows = [
        np.hstack([before["person"], before[mode], after[mode], before["photo"]])
        for before, after in zip(base.shown, tuned.shown, strict=True)
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
