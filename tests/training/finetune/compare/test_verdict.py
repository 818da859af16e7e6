"""Decibels of base and tuned, and what may be published."""

import numpy as np
import pytest

from training.finetune.compare.verdict import Side, compared, faults, sheet

PHOTO = np.full((20, 30, 3), 100, np.uint8)
MASK = np.zeros((20, 30), np.uint8)
MASK[5:15] = 255


def answer(inside: int, outside: int = 100) -> dict[str, np.ndarray]:
    picture = np.full_like(PHOTO, outside)
    picture[5:15] = inside
    return {"keyframe": picture, "capture": picture}


def side(gain: float) -> Side:
    return Side({mode: np.array([gain]) for mode in ("keyframe", "capture")}, {})


def test_decibels_are_of_the_garment_alone() -> None:
    found = compared([answer(120, 0)], [answer(110, 255)], [PHOTO], [MASK])
    assert found.mean_gain("capture") == pytest.approx(20 * np.log10(2))
    assert found.told()["keyframe"]["better rows"] == "1 of 1"


@pytest.mark.parametrize(
    ("gain", "elsewhere", "count"),
    [(0.5, None, 0), (-0.01, None, 2), (0.5, -0.05, 0), (0.5, -0.2, 2), (-1, -1, 4)],
)
def test_what_is_worse_is_not_published(gain: float, elsewhere: float | None, count: int) -> None:
    found = faults(side(gain), None if elsewhere is None else side(elsewhere), 0.0, 0.1)
    assert len(found) == count


def test_a_sheet_has_four_pictures_a_row() -> None:
    rows = [answer(90), answer(80)]
    assert sheet([PHOTO] * 2, rows, rows, [PHOTO] * 2, "capture").shape == (2 * 320, 4 * 320, 3)
