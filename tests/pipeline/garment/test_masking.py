import cv2
import numpy as np
import pytest

from pipeline.garment.masking import composite, find_garment, torso_overlap
from pipeline.garment.pose import Pose
from tests.pipeline.garment.scenes import (
    FRAME_SIZE,
    iou,
    landmarks,
    opaque_render,
    outline,
    photograph,
    transparent_render,
)

NO_POSE = Pose(np.zeros((33, 4), np.float32), FRAME_SIZE)


@pytest.fixture(scope="module")
def frame():
    return photograph()


@pytest.mark.parametrize("size", [FRAME_SIZE, (960, 540), (320, 240)])
def test_a_transparent_render_is_masked_by_its_alpha(frame, size):
    garment = find_garment(transparent_render(size), frame, NO_POSE)
    assert (garment.source, garment.reason) == ("alpha", None)
    assert iou(garment.mask > 127, outline()) > 0.97


@pytest.mark.parametrize("size", [FRAME_SIZE, (960, 540), (400, 700)])
@pytest.mark.parametrize("plane", [1.0, 0.8])
def test_an_opaque_render_is_masked_by_what_differs_from_the_frame(frame, size, plane):
    garment = find_garment(opaque_render(frame, size, plane), frame, NO_POSE)
    assert (garment.source, garment.reason) == ("difference", None)
    assert iou(garment.mask > 127, outline()) > 0.93


def test_an_opaque_render_survives_jpeg_and_a_little_motion(frame):
    moved = np.roll(frame, (2, 3), axis=(0, 1))
    _, data = cv2.imencode(".jpg", opaque_render(moved, FRAME_SIZE)[:, :, :3], [cv2.IMWRITE_JPEG_QUALITY, 70])
    render = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2BGRA)
    garment = find_garment(render, frame, NO_POSE)
    assert iou(garment.mask > 127, outline()) > 0.85


def test_a_video_plane_without_a_jacket_is_no_garment(frame):
    canvas = cv2.cvtColor(cv2.resize(frame, (960, 540)), cv2.COLOR_BGR2BGRA)
    garment = find_garment(canvas, frame, NO_POSE)
    assert garment.reason == "no_garment"
    assert not garment.mask.any()
    assert composite(garment, frame) is frame


def test_an_empty_canvas_is_no_garment(frame):
    garment = find_garment(np.zeros((480, 640, 4), np.uint8), frame, NO_POSE)
    assert garment.reason == "no_garment"


@pytest.mark.parametrize("colour", [(0, 0, 0), (200, 30, 30), (255, 255, 255)])
def test_a_flat_opaque_picture_is_unusable_and_the_face_stays(frame, colour):
    flat = np.full((480, 640, 4), (*colour, 255), np.uint8)
    garment = find_garment(flat, frame, NO_POSE)
    assert garment.reason == "unusable_render"
    assert np.array_equal(composite(garment, frame), frame)


def test_a_render_that_equals_the_frame_leaves_the_face_unchanged(frame):
    """Head and hands were once cut out of the frame itself where no garment was found: black faces."""
    untouched = frame.copy()
    pose = Pose(landmarks(), FRAME_SIZE)
    assert pose.protected.any()
    garment = find_garment(np.full((480, 640, 4), (200, 30, 30, 255), np.uint8), frame, pose)
    assert garment.reason == "unusable_render"
    assert np.array_equal(composite(garment, frame), untouched)


def test_outside_the_garment_the_composite_is_the_frame(frame):
    garment = find_garment(transparent_render((960, 540)), frame, NO_POSE)
    drawn = composite(garment, frame)
    outside = garment.mask == 0
    assert np.array_equal(drawn[outside], frame[outside])
    assert (np.abs(drawn[garment.mask == 255].astype(int) - (200, 120, 20)) <= 1).all()


def test_edges_do_not_darken(frame):
    """Resampling a render whose transparent pixels are black darkens its edges unless premultiplied."""
    white = np.full_like(frame, 255)
    render = transparent_render((200, 150))
    render[render[:, :, 3] > 0, :3] = 255
    garment = find_garment(render, white, NO_POSE)
    assert composite(garment, white).min() >= 253


@pytest.mark.parametrize("kind", ["transparent", "opaque"])
def test_head_and_hands_are_never_painted_over(frame, kind):
    pose = Pose(
        landmarks(p17=(0.40, 0.70), p19=(0.42, 0.72), p21=(0.44, 0.70), p9=(0.455, 0.44), p10=(0.425, 0.44)),
        FRAME_SIZE,
    )
    render = transparent_render() if kind == "transparent" else opaque_render(frame, FRAME_SIZE)
    garment = find_garment(render, frame, pose)
    (hand,) = pose.hands
    whole = (0, 0, *FRAME_SIZE)
    protected = (pose.head.within(whole) | hand.palm.within(whole)).view(bool)
    assert (protected & outline()).sum() > 250, "the scene does not test what it should"
    assert not garment.mask[protected].any()
    assert np.array_equal(composite(garment, frame)[protected], frame[protected])


def test_torso_overlap_is_high_on_the_body_and_zero_beside_it(frame):
    pose = Pose(landmarks(), FRAME_SIZE)
    on = find_garment(transparent_render(), frame, pose).mask
    assert torso_overlap(on, pose) > 0.7
    assert torso_overlap(np.zeros_like(on), pose) == 0
    assert torso_overlap(on, NO_POSE) is None
