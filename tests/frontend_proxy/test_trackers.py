from typing import Any

import numpy as np
import pytest

from frontend_proxy.landmarks import find_marks
from frontend_proxy.pose import read_pose
from frontend_proxy.trackers import MEDIAPIPE, joint_name, to_mediapipe
from tests.trials.client import POSES

GOOD, _ = read_pose(POSES["good"], lambda: None)
HEAD_AND_ARMS = [*range(1), 2, 5, *range(7, 17), 19, 20]


def named(spell: Any) -> list[dict[str, Any]]:
    return [{"part": spell(p["name"]), "x": p["x"], "y": p["y"]} for p in POSES["coco17_named"]["landmarks"]]


def title(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


@pytest.mark.parametrize(
    "spell", [str, str.upper, title, lambda name: name.replace("_", " "), lambda name: name.replace("_", "")]
)
def test_names_tell_which_point_is_which(spell: Any) -> None:
    """COCO's 17 points were read as MediaPipe's first 17, and the jacket vanished."""
    points = named(spell)
    for pose in (points, points[::-1]):
        tensor, detail = read_pose({"keypoints": pose}, lambda: None)
        assert tensor is not None
        assert GOOD is not None
        seen = [number for number in HEAD_AND_ARMS if number < 9 or 10 < number < 17]
        np.testing.assert_allclose(tensor[seen, :2], GOOD[seen, :2], atol=1e-5)
        assert detail is None


def test_an_object_with_names_for_keys() -> None:
    pose = {title(p["name"]): [p["x"], p["y"], 0.4] for p in POSES["coco17_named"]["landmarks"]}
    tensor, _ = read_pose(pose, lambda: None)
    assert tensor is not None
    assert tensor[11, 3] > 0.5, "other trackers' scores are lower than MediaPipe's visibility"


@pytest.mark.parametrize("name", ["coco17", "coco18_openpose"])
def test_a_known_order_gives_head_and_hands_too(name: str) -> None:
    tensor, detail = read_pose(POSES[name], lambda: None)
    assert tensor is not None
    assert GOOD is not None
    seen = [number for number in HEAD_AND_ARMS if tensor[number, 3] > 0.5]
    assert {2, 5, 9, 10, 11, 12, 20} <= set(seen)
    np.testing.assert_allclose(tensor[seen, :2], GOOD[seen, :2], atol=0.04)
    assert detail is not None
    assert "order" in detail


@pytest.mark.parametrize("count", [17, 21, 25])
def test_mediapipes_first_points_stay_what_they_are(count: int) -> None:
    marks = find_marks(POSES["good"]["landmarks"][:count])
    assert marks is not None
    assert to_mediapipe(marks) == (marks, None)


@pytest.mark.parametrize("count", [33, 39])
def test_blazepose_has_more_points_than_mediapipe(count: int) -> None:
    marks = find_marks([*POSES["good"]["landmarks"], *[{"x": 0.5, "y": 0.5}] * 6][:count])
    assert marks is not None
    assert to_mediapipe(marks) == (marks[:33], None)


def swapped(points: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{**p, "x": p["y"], "y": p["x"]} for p in points]


@pytest.mark.parametrize(
    "points",
    [
        POSES["coco17"]["landmarks"][::-1],
        swapped(POSES["coco17"]["landmarks"]),  # MoveNet's raw output is y, x
        [{"x": 0.5, "y": 0.5}] * 17,
        POSES["good"]["landmarks"][:5],
        [*POSES["good"]["landmarks"][::-1], *POSES["good"]["landmarks"]],
    ],
)
def test_an_order_that_gives_no_body_is_no_pose(points: Any) -> None:
    tensor, detail = read_pose({"landmarks": points}, lambda: None)
    assert tensor is None
    assert detail is not None
    assert "left_shoulder" in detail


@pytest.mark.parametrize(
    ("name", "joint"),
    [
        ("mouth_left", "left_mouth"),
        ("LEFT_EYE_INNER", "left_eye_inner"),
        ("rightFootIndex", "right_footindex"),
        ("LSho", "left_shoulder"),
        ("right_shoulder_1_joint", "right_shoulder"),
        ("Nose", "nose"),
        ("neck", None),
        ("left", None),
        ("", None),
        ("x" * 10**6, None),
    ],
)
def test_spellings_of_joints(name: str, joint: str | None) -> None:
    assert joint_name(name) == joint
    assert joint is None or joint in MEDIAPIPE
