"""A photo of the garment, from the wire to the picture: what is painted, and what stays the camera's."""

import base64

import cv2
import httpx
import numpy as np
import pytest

from pipeline.garment.pose import Pose
from tests.e2e.test_http import base64_of, capture, frame_of, picture
from tests.families.catvton.vectors import CHECKPOINT

NAME = "transparent_off_body"
PHOTO = CHECKPOINT.parent / "trials" / "cut_out.png"


@pytest.fixture
def wear(served):
    """Sends a capture whose garment is a photo; returns the answer and its picture."""
    _, stack = served

    def worn(**fields):
        body = capture(NAME, jacket_render=None, garment_image=base64_of(PHOTO), steps=2, seed=3)
        answer = httpx.post(f"{stack.url}/virtual-tryon", json=body | fields, timeout=120).json()
        assert answer["success"], answer
        return answer, picture(answer["result_image"])

    return worn


def test_the_pose_tells_what_is_painted_and_the_face_stays(wear):
    answer, found = wear(category="tops")
    assert (answer["mode"], answer["mode_reason"], answer["mask_source"]) == ("ai_enhanced", None, "pose")
    assert answer["category"] == "tops"
    frame = frame_of(NAME)
    marks = capture(NAME)["pose"]["landmarks"]
    landmarks = np.float32([[mark[name] for name in ("x", "y", "z", "visibility")] for mark in marks])
    pose = Pose(landmarks, (frame.shape[1], frame.shape[0]))
    head = pose.head.within((0, 0, *pose.size)) > 0
    assert np.array_equal(found[head], frame[head])
    torso = cv2.erode(pose.torso().astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    assert (found != frame)[torso & ~pose.protected].any(axis=-1).mean() > 0.9


def test_a_mask_takes_the_place_of_the_pose(wear):
    frame = frame_of(NAME)
    mask = np.zeros(frame.shape[:2], np.uint8)
    mask[300:600, 400:700] = 255
    answer, found = wear(pose=None, mask=encoded(mask))
    assert (answer["mode"], answer["mask_source"]) == ("ai_enhanced", "client")
    changed = (found != frame).any(axis=2)
    assert changed[mask > 0].mean() > 0.9
    assert not changed[mask == 0].any()


def test_without_a_pose_the_server_finds_the_person(wear):
    answer, found = wear(pose=None, category="tops")
    assert (answer["mode"], answer["mask_source"]) == ("ai_enhanced", "pose")
    assert (found != frame_of(NAME)).any()


@pytest.mark.parametrize("missing", ["nobody", "no legs"])
def test_what_is_missing_is_said_and_the_frame_comes_back(wear, missing):
    empty = np.full((240, 320, 3), 128, np.uint8)
    frame, fields, says = {
        "nobody": (empty, {"pose": None, "user_image": encoded(empty)}, "found nobody"),
        "no legs": (frame_of(NAME), {"category": "bottoms"}, "hips and knees"),
    }[missing]
    answer, found = wear(**fields)
    assert (answer["mode"], answer["mode_reason"]) == ("fallback", "no_region")
    assert says in answer["detail"]
    assert np.array_equal(found, frame)


def test_the_answer_follows_the_photo(wear):
    photo = cv2.imread(str(PHOTO))
    _, one = wear(category="tops")
    _, other = wear(category="tops", garment_image=encoded(photo[:, ::-1] // 3))
    assert (one != other).any()


def encoded(image):
    return base64.b64encode(cv2.imencode(".png", image)[1]).decode()
