import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from frontend_proxy.keyframes.degradation import HOLD_S, Degradation, fewer_steps

PRESSURES = st.floats(0, 1.5)
# (pressure, seconds since the one before)
COURSES = st.lists(st.tuples(PRESSURES, st.floats(0, 10)), max_size=40)


def levels(course: list[tuple[float, float]]) -> list[int]:
    degradation, now, found = Degradation(), 0.0, []
    for pressure, pause in course:
        now += pause
        found.append(degradation.level(pressure, now))
    return found


@pytest.mark.parametrize(
    ("pressure", "level"), [(0.0, 0), (0.49, 0), (0.5, 1), (0.74, 1), (0.75, 2), (9.0, 2)]
)
def test_pressure_takes_effect_at_once(pressure: float, level: int) -> None:
    assert levels([(pressure, 0)]) == [level]


def test_levels_over_a_rush_hour() -> None:
    course = [(0.2, 1), (0.6, 1), (0.9, 1), (0.4, 1), (0.4, 2.9), (0.4, 0.2), (0.4, 9), (0.2, 1), (0.2, 3)]
    assert levels(course) == [0, 1, 2, 2, 2, 1, 1, 1, 0]


def test_a_long_pause_ends_all_levels() -> None:
    """The first shopper after the rush must not pay for it."""
    assert levels([(0.9, 0), (0.0, 1), (0.0, 2 * HOLD_S)]) == [2, 2, 0]


@given(COURSES)
def test_no_level_ends_before_the_hold_time(
    course: list[tuple[float, float]],
) -> None:
    now, busy_at, before = 0.0, float("-inf"), 0
    for (pressure, pause), level in zip(course, levels(course), strict=True):
        now += pause
        if pressure >= 0.5:
            busy_at = now
        if level < before:
            assert now - busy_at >= HOLD_S
        before = level


@given(COURSES, PRESSURES)
def test_constant_pressure_leads_to_one_level(course: list[tuple[float, float]], pressure: float) -> None:
    """No flicker: whatever came before, a steady load leads to one level."""
    steady = [(pressure, HOLD_S)] * 10
    assert len(set(levels(course + steady)[-7:])) == 1


@given(COURSES)
@example([(0.6875, 0.0), (0.375, 0.0), (0.0, 6.0)])  # the higher course left two levels in the lower's one
def test_more_pressure_never_gives_more_steps(course: list[tuple[float, float]]) -> None:
    higher = [(pressure + 0.1, pause) for pressure, pause in course]
    assert all(more >= less for more, less in zip(levels(higher), levels(course), strict=True))


@pytest.mark.parametrize(
    ("steps", "expected"), [(4, [4, 3, 2]), (8, [8, 6, 4]), (3, [3, 3, 2]), (2, [2, 2, 2]), (1, [1, 0, 0])]
)
def test_steps_at_each_level(steps: int, expected: list[int]) -> None:
    assert [fewer_steps(steps, level) for level in range(3)] == expected
