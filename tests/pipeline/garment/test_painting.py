import cv2
import numpy as np
import pytest

from pipeline.errors import NotAnImage
from pipeline.garment.painting import find_painting
from pipeline.garment.pose import Pose
from tests.pipeline.garment.scenes import FRAME_SIZE, landmarks, photograph

NO_POSE = np.zeros((33, 4), np.float32)
NO_MASK = np.zeros(1, np.uint8)


@pytest.fixture(scope="module")
def frame():
    return photograph()


def found(frame, pose=NO_POSE, category="tops", client_mask=NO_MASK):
    return find_painting(frame, Pose(pose, FRAME_SIZE), category, client_mask)


def white(x, y, width, height, size=(64, 48)):
    mask = np.zeros(size[::-1], np.uint8)
    mask[y : y + height, x : x + width] = 255
    return cv2.imencode(".png", mask)[1].reshape(-1)


def test_the_pose_gives_the_region(frame):
    mask, report = found(frame, landmarks())
    assert report.pop("laying")
    assert report == {"mask_source": "pose", "mode_reason": None, "alignment": {"fit": None}}
    assert 0.1 < (mask > 127).mean() < 0.7


def test_its_edge_is_soft(frame):
    mask, _ = found(frame, landmarks())
    assert ((mask > 0) & (mask < 255)).sum() > 500


@pytest.mark.parametrize("client_mask", [NO_MASK, white(0, 0, 64, 48)], ids=["pose", "mask"])
def test_head_and_hands_stay(frame, client_mask):
    hand = {"n15": (0.5, 0.7), "n17": (0.45, 0.72), "n19": (0.44, 0.74), "n21": (0.46, 0.76)}
    pose = landmarks(n13=(0.62, 0.75), **hand)
    mask, _ = found(frame, pose, client_mask=client_mask)
    body = Pose(pose, FRAME_SIZE)
    assert not mask[body.head.within((0, 0, *FRAME_SIZE)) > 0].any()
    palm = body.hands[0].palm.within((0, 0, *FRAME_SIZE)) > 0
    assert palm.any()
    assert not mask[palm].any()


def test_a_clients_mask_comes_before_the_pose(frame):
    mask, report = found(frame, landmarks(), client_mask=white(32, 24, 16, 16))
    assert report["mask_source"] == "client"
    assert (mask[250:390, 330:470] == 255).all(), "it is stretched over the frame"
    assert not mask[:, :300].any()


def test_a_lost_pose_keeps_the_region(frame):
    tracked, first = found(frame, landmarks())
    lost, second = find_painting(frame, Pose(NO_POSE, FRAME_SIZE), "tops", NO_MASK, first["laying"])
    lost_again, third = find_painting(frame, Pose(NO_POSE, FRAME_SIZE), "tops", NO_MASK, second["laying"])
    assert np.array_equal(tracked, lost)
    assert np.array_equal(tracked, lost_again)
    assert third["mode_reason"] is None


def test_a_new_pose_and_another_frame_forget_the_last_one(frame):
    _, first = found(frame, landmarks())
    moved = landmarks()
    moved[moved.any(axis=1), 0] += 0.1
    again, _ = find_painting(frame, Pose(moved, FRAME_SIZE), "tops", NO_MASK, first["laying"])
    assert np.array_equal(again, found(frame, moved)[0])
    small = cv2.resize(frame, (320, 240))
    _, report = find_painting(small, Pose(NO_POSE, (320, 240)), "tops", NO_MASK, first["laying"])
    assert report["mode_reason"] == "no_region"


@pytest.mark.parametrize(
    ("category", "says"),
    [("tops", "both shoulders"), ("bottoms", "hips and knees"), ("one-pieces", "both shoulders")],
)
def test_without_mask_and_pose_the_report_says_what_is_missing(frame, category, says):
    mask, report = found(frame, category=category)
    assert (report["mode_reason"], report["mask_source"]) == ("no_region", None)
    assert category in report["detail"]
    assert "mask" in report["detail"]
    assert says in report["detail"]
    assert not mask.any()


def test_a_checkpoint_that_takes_no_photo_needs_a_render(frame):
    _, report = found(frame, landmarks(), category="", client_mask=white(0, 0, 64, 48))
    assert report["mode_reason"] == "needs_render"
    assert "jacket_render" in report["detail"]


@pytest.mark.parametrize("client_mask", [white(0, 0, 0, 0), white(3, 3, 1, 1)])
def test_a_mask_of_nothing(frame, client_mask):
    mask, report = found(frame, client_mask=client_mask)
    assert report["mode_reason"] == "no_garment"
    assert not mask.any()


def test_a_broken_mask_is_named(frame):
    with pytest.raises(NotAnImage, match="client_mask"):
        found(frame, client_mask=np.zeros(9, np.uint8))
