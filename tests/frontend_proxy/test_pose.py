from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.pose import pose_tensor, pose_warning, read_pose
from tests.trials.client import POSES

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
    unplaced = sum(any(v is None or not abs(v) < 3e38 for v in point[:2]) for point in given[:33])
    assert pose_warning(given) is not None or not unplaced
    if unplaced == len(given[:33]):
        assert pose is None


def size() -> tuple[int, int]:
    return 640, 480


def marks(**changes: object) -> list[dict[str, Any]]:
    return [{**point, **changes} for point in POSES["good"]["landmarks"]]


def scaled(x: float, y: float) -> list[dict[str, float]]:
    return [{**p, "x": p["x"] * x, "y": p["y"] * y} for p in POSES["good"]["landmarks"]]


@pytest.mark.parametrize("visibility", [0, -1, None, "0", 95])
def test_a_visibility_that_no_point_has_counts_as_unknown(visibility: object) -> None:
    """Several bindings fill in 0 or -1; then face and hands were painted over."""
    pose, detail = read_pose({"landmarks": marks(visibility=visibility, presence=0)}, size)
    assert pose is not None
    assert (pose[:, 3] > 0.5).all()
    assert detail is None


def test_a_z_that_no_point_has_is_not_needed() -> None:
    pose, detail = read_pose(marks(z=None), size)
    assert pose is not None
    assert detail is None


@pytest.mark.parametrize("unit", [(640, 480), (100, 100)])
def test_pixels_and_per_cent_become_shares(unit: tuple[int, int]) -> None:
    expected, _ = read_pose(POSES["good"], size)
    pose, detail = read_pose(scaled(*unit), size)
    assert pose is not None
    assert expected is not None
    np.testing.assert_allclose(pose, expected, atol=1e-5)
    assert detail is None


def test_per_cent_as_text_with_its_sign() -> None:
    pose, _ = read_pose(
        [{"x": f"{p['x']:.1%}", "y": f"{p['y']:.1%}".replace(".", ",")} for p in marks()], size
    )
    assert pose is not None
    np.testing.assert_allclose(pose[11, :2], (0.662, 0.415), atol=1e-3)


@pytest.mark.parametrize(
    ("unit", "frame"), [((1920, 1080), (640, 480)), ((100, 100), (150, 150)), ((640, 480), None)]
)
def test_units_that_are_not_plain_are_no_pose(unit: tuple[int, int], frame: tuple[int, int] | None) -> None:
    pose, detail = read_pose(scaled(*unit), lambda: frame)
    assert pose is None
    assert detail is not None
    assert "0 to 1" in detail


def test_shares_slightly_outside_the_frame_are_no_pixels() -> None:
    """Of a frame that shows head and shoulders, hips and hands are outside."""
    pose, detail = read_pose([{**p, "x": 1.6 * p["x"] - 0.4, "y": 2 * p["y"]} for p in marks()], size)
    assert pose is not None
    assert pose[16, 1] == pytest.approx(2 * 0.8718)
    assert detail is None


def test_landmarks_around_the_hips_in_metres_are_told() -> None:
    _, detail = read_pose([{**p, "x": p["x"] - 0.5, "y": p["y"] - 1} for p in marks()], size)
    assert detail is not None
    assert "outside the frame" in detail


@pytest.mark.parametrize("pose", [None, {}, [], "", "null", {"landmarks": None}, {"landmarks": []}])
def test_nobody_is_tracked_in_each_of_its_shapes(pose: object) -> None:
    assert read_pose(pose, size) == (None, None)


@pytest.mark.parametrize(
    "pose", [False, True, 5, "none", "{", "[1", {"landmarks": "lost"}, ["a"], {"a": [[[{}]]]}, [["?"], 3]]
)
def test_what_is_no_pose_is_told(pose: object) -> None:
    found, detail = read_pose(pose, size)
    assert found is None
    assert detail is not None
    assert detail.startswith("pose: no landmarks were found")


TEXTS = st.text() | st.sampled_from(["0.5", "nose", "[1]"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=40)
        | st.dictionaries(
            st.sampled_from(["x", "y", "landmarks", "position", "score", "0", "1", "name"]), inner
        )
    ),
    max_leaves=80,
)


@given(JSON)
def test_no_pose_is_an_error(pose: object) -> None:
    for given_pose in (pose, {"landmarks": pose}):
        found, _ = read_pose(given_pose, size)
        assert found is None or (found.shape == (33, 4) and np.isfinite(found).all())
