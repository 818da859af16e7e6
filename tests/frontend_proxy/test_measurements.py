import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.measurements import Measurements, measure

SIZE = (1000, 2000)
# A person of 1,700 mm at one pixel a millimetre, with the head's top at y = 100.
TALL = 1700
EYE, SHOULDER, HIP, ANKLE = (100 + (1 - share) * TALL for share in (0.936, 0.818, 0.53, 0.039))
STANDING = {2: (530, EYE), 5: (470, EYE), 11: (670, SHOULDER), 12: (330, SHOULDER)}
STANDING |= {13: (670, SHOULDER + 300), 14: (330, SHOULDER + 300)}
STANDING |= {15: (670, SHOULDER + 550), 16: (330, SHOULDER + 550)}
STANDING |= {23: (590, HIP), 24: (410, HIP), 27: (590, ANKLE), 28: (410, ANKLE)}


def pose(*unseen: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    landmarks = np.zeros((33, 4), np.float32)
    for number, point in STANDING.items():
        landmarks[number] = (*np.divide(point, size), 0, 0 if number in unseen else 0.99)
    return landmarks


def close(found: int | None, expected: float) -> bool:
    return found is not None and abs(found - expected) <= 2


def test_a_standing_person_is_measured() -> None:
    found = measure(pose(), SIZE, TALL)
    assert found is not None
    assert found.basis == "body"
    assert close(found.shoulder_width, 340)
    assert close(found.hip_width, 180)
    assert close(found.sleeve, 550)
    assert close(found.torso, 0.288 * TALL)
    assert close(found.leg, 0.491 * TALL)


def test_without_legs_the_trunk_gives_the_scale() -> None:
    found = measure(pose(27, 28), SIZE, TALL)
    assert found is not None
    assert (found.basis, found.leg) == ("trunk", None)
    assert close(found.shoulder_width, 340)


def test_one_arm_is_enough_for_a_sleeve() -> None:
    found = measure(pose(14, 15), SIZE, TALL)
    assert found is not None
    assert found.sleeve is None
    found = measure(pose(14), SIZE, TALL)
    assert found is not None
    assert close(found.sleeve, 550)


@pytest.mark.parametrize("unseen", [(11,), (23, 2), (24, 28)])
def test_too_little_is_nothing(unseen: tuple[int, ...]) -> None:
    assert measure(pose(*unseen), SIZE, TALL) is None


def test_what_lies_beyond_the_frame_was_invented() -> None:
    """Trackers guess legs that they do not see."""
    landmarks = pose()
    landmarks[[27, 28], 1] = 1.2
    found = measure(landmarks, SIZE, TALL)
    assert found is not None
    assert (found.basis, found.leg) == ("trunk", None)


@given(st.floats(500, 2500))
def test_measures_grow_with_the_height(height: float) -> None:
    found, half = measure(pose(), SIZE, height), measure(pose(), SIZE, height / 2)
    assert isinstance(found, Measurements)
    assert isinstance(half, Measurements)
    assert abs(found.sleeve - 2 * half.sleeve) <= 2  # type: ignore[operator]


@pytest.mark.nightly
@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=4, max_size=4), min_size=33, max_size=33))
def test_no_pose_breaks_it(points: list[list[float]]) -> None:
    measure(np.array(points, np.float32), SIZE, TALL)
