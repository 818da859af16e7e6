from contextlib import ExitStack

import pytest

from frontend_proxy.errors import Overloaded
from frontend_proxy.keyframes.admission import Admission
from frontend_proxy.keyframes.degradation import HOLD_S


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("frontend_proxy.keyframes.admission.time", clock)
    return clock


def test_the_fuller_the_fewer_steps_and_full_is_full(clock: Clock) -> None:
    admission = Admission(8, timeout_s=5)
    with ExitStack() as inside:
        levels = [inside.enter_context(admission.admitted()) for _ in range(8)]
        assert levels == [0, 0, 0, 0, 1, 1, 2, 2]
        with pytest.raises(Overloaded), admission.admitted():
            pass
    clock.now += 2 * HOLD_S
    with admission.admitted() as level:
        assert level == 0


def test_one_that_takes_most_of_its_time_is_load_too(clock: Clock) -> None:
    """A slow model is overloaded long before there are many."""
    admission = Admission(100, timeout_s=5)
    with admission.admitted():
        clock.now += 3
        with admission.admitted() as level:
            assert level == 1


def test_a_failed_one_leaves(clock: Clock) -> None:
    admission = Admission(1, timeout_s=5)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), admission.admitted():
            raise ZeroDivisionError
