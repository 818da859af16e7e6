import cv2
import numpy as np
import pytest

from pipeline.garment.masking import find_garment
from pipeline.garment.placement import Placement, Silhouettes, near_body
from pipeline.garment.pose import Pose
from tests.pipeline.garment.scenes import FRAME_SIZE, iou, landmarks, photograph
from training.lucy_tiny.scenes import make_scene

SIZE = 256
POSE = Pose(landmarks(), FRAME_SIZE)


@pytest.fixture(scope="module", params=[900001, 900003, 900005])
def scene(request):
    return make_scene(request.param, SIZE)


def moved(render, placement):
    return cv2.warpAffine(render, placement.matrix(SIZE), (SIZE, SIZE))


def garment_of(scene, render, render_fit="auto", pose=None):
    pose = pose or Pose(scene.landmarks, (SIZE, SIZE))
    return find_garment(render[:, :, [2, 1, 0, 3]], scene.frame, pose, render_fit)


def test_a_garment_in_the_right_place_is_not_moved(scene):
    assert Silhouettes(scene.render[:, :, 3], Pose(scene.landmarks, (SIZE, SIZE))).correction() is None


@pytest.mark.parametrize(
    "off", [Placement(x=0.05), Placement(x=-0.05, log_scale=0.03), Placement(x=0.05, y=-0.03)]
)
def test_a_garment_that_is_off_by_five_percent_is_moved_back(scene, off):
    render, truth = moved(scene.render, off), scene.mask > 127
    as_drawn, corrected = (garment_of(scene, render, fit) for fit in ("stretch", "auto"))
    assert corrected.registration.fit == "stretch, corrected"
    assert iou(corrected.mask > 127, truth) > max(0.8, iou(as_drawn.mask > 127, truth))


def test_a_garment_beside_the_body_stays_unless_body_is_asked_for(scene):
    beside = moved(scene.render, Placement(log_scale=-1.0, centre=(0.98, 0.02)))
    truth = scene.mask > 127
    assert garment_of(scene, beside).registration.fit == "stretch"
    on_body = garment_of(scene, beside, "body")
    assert on_body.registration.fit == "body"
    assert iou(on_body.mask > 127, truth) > 0.6 > 0.3 > iou(garment_of(scene, beside).mask > 127, truth)


def test_without_a_pose_nothing_is_moved(scene):
    lost = Pose(np.zeros((33, 4), np.float32), (SIZE, SIZE))
    render = moved(scene.render, Placement(x=0.05))
    for fit in ("auto", "body"):
        assert garment_of(scene, render, fit, lost).registration.fit == "stretch"


@pytest.mark.parametrize("canvas_size", [(448, 256), (256, 448)])
def test_the_fit_of_a_transparent_canvas_shows_on_the_body(scene, canvas_size):
    """A canvas of another aspect on which the jacket was not stretched."""
    canvas = np.zeros((*canvas_size[::-1], 4), np.uint8)
    x, y = ((side - SIZE) // 2 for side in canvas_size)
    canvas[y : y + SIZE, x : x + SIZE] = scene.render
    truth = scene.mask > 127
    found, explicit = garment_of(scene, canvas), garment_of(scene, canvas, "cover")
    assert found.registration.fit.startswith("cover")
    assert iou(found.mask > 127, truth) > 0.9
    assert iou(explicit.mask > 127, truth) > 0.9


def test_motion_away_from_the_body_is_no_garment():
    """A second person who walked on while the render was drawn."""
    mask = np.zeros(FRAME_SIZE[::-1], np.uint8)
    cv2.rectangle(mask, (200, 240), (380, 470), 255, -1)
    alone = mask.copy()
    cv2.rectangle(mask, (580, 100), (630, 400), 255, -1)
    assert np.array_equal(near_body(mask, POSE), alone)


def test_a_garment_beside_the_body_is_not_taken_for_motion():
    mask = np.zeros(FRAME_SIZE[::-1], np.uint8)
    cv2.rectangle(mask, (560, 100), (630, 400), 255, -1)
    assert np.array_equal(near_body(mask, POSE), mask)


def test_swapped_sides_are_the_same_body():
    swapped = landmarks()
    swapped[[11, 12]] = swapped[[12, 11]]
    swapped = Pose(swapped, FRAME_SIZE)
    assert iou(swapped.body() > 0, POSE.body() > 0) > 0.98
    assert iou(swapped.torso(), POSE.torso()) > 0.98


def test_an_explicit_fit_is_used_without_a_search():
    frame = photograph()
    render = np.zeros((300, 300, 4), np.uint8)
    render[100:200, 100:200] = 255
    for fit, size in {"stretch": (213, 160), "contain": (160, 160), "cover": (213, 213)}.items():
        garment = find_garment(render, frame, POSE, fit)
        assert garment.registration.fit == fit
        found = cv2.boundingRect((garment.mask > 127).view(np.uint8))[2:]
        assert found == pytest.approx(size, abs=1)
