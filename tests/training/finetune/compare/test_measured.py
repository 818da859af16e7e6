"""Decibels of answers, the sheet, and what is kept in memory."""

import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from families.sd_inpainting.recipes import default_config
from tests.training.finetune.datasets import write_dataset
from training.finetune.compare.answers import MODES
from training.finetune.compare.measured import measured, sheet
from training.finetune.examples import Preparation
from training.finetune.rows import Row, find_rows

PREPARATION = Preparation(default_config(8).model_copy(update={"conditioning": "composite"}), False)


@pytest.fixture
def rows(tmp_path: Path) -> Sequence[Row]:
    return find_rows(write_dataset(tmp_path, 9))


def test_a_sheet_has_four_pictures_a_row_and_eight_rows(rows: Sequence[Row]) -> None:
    base, tuned = (measured(rows, photos(rows, divisor), PREPARATION) for divisor in (2, 1))
    assert sheet(base, tuned, "capture").shape == (8 * 320, 4 * 320, 3)
    assert (base.decibels["keyframe"] < 20).all()
    assert (tuned.decibels["keyframe"] > 60).all()
    assert len(tuned.decibels["capture"]) == len(rows)


def photos(rows: Sequence[Row], divisor: int) -> Iterator[dict[str, np.ndarray]]:
    for row in rows:
        yield dict.fromkeys(MODES, cv2.imread(str(row.path("photo"))) // divisor)


def test_answers_are_not_kept(rows: Sequence[Row]) -> None:
    """Those of a hundred photographs of a camera's size are gigabytes."""
    given: list[weakref.ref[np.ndarray]] = []

    def watched() -> Iterator[dict[str, np.ndarray]]:
        for answer in photos(rows, 1):
            given.append(weakref.ref(answer["capture"]))
            assert sum(it() is not None for it in given) <= 2
            yield answer

    measured(rows, watched(), PREPARATION)
    assert len(given) == len(rows)
