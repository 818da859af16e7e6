import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.pose import pose_tensor

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
