import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.garment.pose import Pose
from pipeline.garment.region import CATEGORIES, region, resolved, wanted_points
from tests.pipeline.garment.scenes import landmarks
from training.landmarks import from_points

SIZE = (300, 600)
PORTRAIT = Path(__file__).parents[2] / "data" / "trials" / "portrait_pose.json"

# Joints of a person who stands upright, arms hanging, in shares of a frame of SIZE.
STANDING = {
    0: (0.5, 0.12),
    2: (0.53, 0.1),
    5: (0.47, 0.1),
    7: (0.57, 0.11),
    8: (0.43, 0.11),
    9: (0.52, 0.14),
    10: (0.48, 0.14),
    11: (0.65, 0.22),
    12: (0.35, 0.22),
    13: (0.72, 0.35),
    14: (0.28, 0.35),
    15: (0.74, 0.47),
    16: (0.26, 0.47),
    17: (0.75, 0.51),
    18: (0.25, 0.51),
    19: (0.74, 0.52),
    20: (0.26, 0.52),
    21: (0.72, 0.5),
    22: (0.28, 0.5),
    23: (0.59, 0.48),
    24: (0.41, 0.48),
    25: (0.6, 0.7),
    26: (0.4, 0.7),
    27: (0.6, 0.9),
    28: (0.4, 0.9),
}


def standing(without=(), **moved):
    pose = np.zeros((33, 4), np.float32)
    points = STANDING | {int(name[1:]): point for name, point in moved.items()}
    for number, (x, y) in points.items():
        if number not in without:
            pose[number] = (x, y, 0, 0.99)
    return pose


def painted(category, pose=None, size=SIZE):
    return region(Pose(standing() if pose is None else pose, size), category)


def at(mask, x, y):
    return mask[int(y * mask.shape[0]), int(x * mask.shape[1])]


@pytest.mark.parametrize(
    ("category", "inside", "outside"),
    [
        (
            "tops",
            [(0.5, 0.3), (0.5, 0.5), (0.72, 0.35), (0.27, 0.42), (0.74, 0.47), (0.65, 0.21)],
            [(0.5, 0.8), (0.6, 0.75), (0.02, 0.1), (0.02, 0.9)],
        ),
        (
            "bottoms",
            [(0.59, 0.48), (0.4, 0.7), (0.6, 0.85), (0.5, 0.6)],
            [(0.5, 0.25), (0.72, 0.35), (0.02, 0.1), (0.5, 0.97)],
        ),
        (
            "one-pieces",
            [(0.5, 0.3), (0.72, 0.35), (0.4, 0.7), (0.6, 0.85)],
            [(0.02, 0.1), (0.02, 0.9), (0.5, 0.97)],
        ),
    ],
)
def test_what_a_category_may_cover(category, inside, outside):
    mask = painted(category)
    assert (mask.dtype, mask.shape) == (np.uint8, SIZE[::-1])
    assert {at(mask, *point) for point in inside} == {255}
    assert {at(mask, *point) for point in outside} == {0}


def test_old_cloth_beside_the_joints_lies_inside():
    """A sleeve and a trouser leg are wider than an arm and a leg."""
    tops, bottoms = painted("tops"), painted("bottoms")
    loose = 0.17 * 0.3 * SIZE[0]  # of the shoulders' distance, in pixels
    for x, y in (STANDING[13], STANDING[14], (0.73, 0.42)):
        for side in (-loose, loose):
            assert at(tops, x + side / SIZE[0], y) == 255
    for x, y in (STANDING[25], STANDING[26], (0.6, 0.8)):
        for side in (-loose, loose):
            assert at(bottoms, x + side / SIZE[0], y) == 255


def test_auto_is_a_top_where_nothing_shows_more():
    assert np.array_equal(painted("auto"), painted("tops"))
    assert resolved("auto", np.zeros(SIZE[::-1], np.uint8), Pose(standing(), SIZE)) == "tops"
    assert resolved("auto", np.full((40, 30), 255, np.uint8), Pose(np.zeros((33, 4)), (30, 40))) == "tops"


@pytest.mark.parametrize("category", CATEGORIES[:-1])
def test_the_garments_outline_tells_its_category(category):
    pose = Pose(standing(), SIZE)
    worn = cv2.erode(region(pose, category), np.ones((9, 9), np.uint8))
    assert resolved("auto", worn, pose) == category
    assert resolved("bottoms", worn, pose) == "bottoms", "the client knows better"


@pytest.mark.parametrize(
    ("category", "pose"),
    [
        ("tops", np.zeros((33, 4), np.float32)),
        ("tops", standing(without=(11,))),
        ("bottoms", standing(without=(23, 24))),
        ("bottoms", standing(without=(25, 26))),
        ("bottoms", landmarks()),  # a picture down to the hips
        ("bottoms", standing(n23=(0.7, 0.2), n24=(0.3, 0.21))),  # invented hips
        ("one-pieces", standing(without=(12,))),
    ],
)
def test_a_pose_that_does_not_tell(category, pose):
    assert painted(category, pose) is None


def test_what_a_pose_must_show_is_named():
    assert wanted_points("bottoms") == "hips and knees"
    assert {wanted_points(category) for category in ("tops", "one-pieces", "auto")} == {"both shoulders"}


def test_legs_that_run_out_of_the_frame_are_painted_to_its_edge():
    mask = painted("bottoms", standing(n25=(0.6, 1.1), n26=(0.4, 1.1), n27=(0.6, 1.4), n28=(0.4, 1.4)))
    assert at(mask, 0.59, 0.99) == 255


def test_a_dress_is_painted_as_far_as_the_frame_shows_the_person():
    mask = painted("one-pieces", landmarks(), (640, 480))
    assert np.array_equal(mask, painted("tops", landmarks(), (640, 480)))


def test_left_and_right_may_be_swapped():
    """Trackers of a mirrored picture do it."""
    swapped = standing()
    for left, right in ((11, 12), (13, 14), (15, 16), (23, 24), (25, 26), (27, 28)):
        swapped[[left, right]] = swapped[[right, left]]
    for category in ("tops", "bottoms", "one-pieces"):
        one, other = painted(category) > 0, painted(category, swapped) > 0
        assert (one & other).sum() > 0.97 * (one | other).sum()


def test_the_region_grows_with_the_frame():
    for category in ("tops", "bottoms"):
        small = cv2.resize(painted(category), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST) > 0
        large = painted(category, size=(600, 1200)) > 0
        assert (small & large).sum() > 0.97 * (small | large).sum()


def test_a_portrait():
    pose = from_points(json.loads(PORTRAIT.read_text())["landmarks"])
    for category in CATEGORIES:
        assert region(Pose(pose, (720, 960)), category) is not None


@given(
    st.lists(
        st.lists(st.floats(-3, 3, width=32) | st.just(float("nan")), min_size=4, max_size=4),
        min_size=33,
        max_size=33,
    ),
    st.sampled_from(CATEGORIES),
)
def test_any_pose_gives_a_region_or_none(points, category):
    mask = region(Pose(np.array(points, np.float32), (64, 48)), category)
    assert mask is None or (mask.shape == (48, 64) and set(np.unique(mask)) <= {0, 255} and mask.any())


@given(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))
def test_a_person_who_moves_takes_the_region_along(x, y):
    pose = standing()
    pose[pose.any(axis=1), :2] += (x, y)
    if not Pose(pose, SIZE).tracked:
        return
    move = np.float32([[1, 0, round(x * SIZE[0])], [0, 1, round(y * SIZE[1])]])
    inside = np.s_[80:-80, 40:-40]
    expected = cv2.warpAffine(painted("tops"), move, SIZE)[inside] > 0
    found = painted("tops", pose)[inside] > 0
    assert (expected & found).sum() > 0.95 * (expected | found).sum()
