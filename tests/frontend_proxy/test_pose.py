import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.pose import pose_tensor, pose_warning

numbers = st.none() | st.floats(width=64)
points = st.lists(st.tuples(numbers, numbers, numbers, numbers), max_size=40)


@given(points)
def test_any_numbers_give_finite_landmarks_or_none(given_points: list[tuple[float | None, ...]]) -> None:
    pose = pose_tensor(given_points)
    if pose is not None:
        assert pose.shape == (33, 4)
        assert pose.dtype == np.float32
        assert np.isfinite(pose).all()
        assert pose[:, 3].min() >= 0
        assert pose[:, 3].max() <= 1


def test_good_points_pass_unchanged_and_bad_ones_become_invisible() -> None:
    good = (0.5, -0.25, 1.5, 0.75)
    pose = pose_tensor(
        [good, (None, 0.5, 0.0, 0.9), (float("nan"), 0.5, 0.0, 0.9), (1e300, 0.5, 0.0, 0.9), good]
    )
    assert pose is not None
    np.testing.assert_array_equal(pose[[0, 4]], [good, good])
    assert not pose[1:4].any()
    assert not pose[5:].any()


def test_points_past_the_33rd_are_left_out() -> None:
    pose = pose_tensor([(0.1, 0.2, 0.3, 1.0)] * 33 + [(9.0, 9.0, 9.0, 1.0)] * 5)
    assert pose is not None
    assert pose.max() == 1.0


def test_lost_tracking_is_no_pose() -> None:
    assert pose_tensor(None) is None
    assert pose_tensor([]) is None
    assert pose_tensor([(0.5, 0.5, 0.0, 0.0)] * 33) is None


GOOD = (0.5, 0.3, -0.1, 0.95)


@pytest.mark.parametrize("points", [None, [], [GOOD] * 33, [GOOD] * 20, [(0.5, 0.5, 0.0, 0.0)] * 33])
def test_usable_and_missing_poses_need_no_warning(points: list[tuple[float | None, ...]] | None) -> None:
    assert pose_warning(points) is None


@pytest.mark.parametrize(
    ("bad", "missing"),
    [
        ((None, 0.3, 0.0, 0.9), "x"),
        ((0.5, None, 0.0, 0.9), "y"),
        ((float("nan"), float("inf"), 0.0, 0.9), "x, y"),
        ((0.5, 0.3, 1e300, None), "z, visibility"),
        ((None,) * 4, "x, y, z, visibility"),
    ],
)
def test_a_warning_names_the_first_bad_landmark_and_what_it_lacks(
    bad: tuple[float | None, ...], missing: str
) -> None:
    some = pose_warning([GOOD, bad, GOOD, bad])
    assert some is not None
    assert f"2 of 4 landmarks lack a finite number (landmarks.1: {missing}); these" in some
    every = pose_warning([bad] * 33)
    assert every is not None
    assert every.endswith("made without a pose")


@given(points)
def test_there_is_a_warning_whenever_a_landmark_was_not_used(given: list[tuple[float | None, ...]]) -> None:
    pose = pose_tensor(given)
    ignored = sum(any(v is None or not abs(v) < 3e38 for v in point) for point in given[:33])
    assert (pose_warning(given) is not None) == bool(ignored)
    if ignored == len(given[:33]):
        assert pose is None
