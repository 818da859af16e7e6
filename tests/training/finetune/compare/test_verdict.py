"""What is gained, and what may be published."""

import numpy as np
import pytest

from training.finetune.compare.answers import MODES
from training.finetune.compare.measured import Measured
from training.finetune.compare.verdict import Side, compared, faults


def side(gain: float) -> Side:
    return Side({mode: np.array([gain]) for mode in ("keyframe", "capture")}, {})


def test_what_is_gained_is_told_of_each_mode() -> None:
    base, tuned = (Measured({mode: np.array(it) for mode in MODES}, []) for it in ([10, 12], [11, 11.5]))
    told = compared(base, tuned).told()
    assert told["keyframe"] == {"base": 11.0, "gain": 0.25, "worst row": -0.5, "better rows": "1 of 2"}
    assert told.keys() == set(MODES)


@pytest.mark.parametrize(
    ("gain", "elsewhere", "count"),
    [(0.5, None, 0), (-0.01, None, 2), (0.5, -0.05, 0), (0.5, -0.2, 2), (-1, -1, 4)],
)
def test_what_is_worse_is_not_published(gain: float, elsewhere: float | None, count: int) -> None:
    found = faults(side(gain), None if elsewhere is None else side(elsewhere), 0.0, 0.1)
    assert len(found) == count
