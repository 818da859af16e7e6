"""A hand's shape by the product's own network, on a path-traced person with crossed arms."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.garment.hand_edges import view_of
from pipeline.garment.hand_shape import SIDE, HandShape, look_at_hand, nearest
from pipeline.garment.hand_view import HandView
from pipeline.garment.pose import HANDS, Pose
from pipeline.resize import size_of
from serving.visible_garment import FOLDER, HANDS_FILE, open_hands
from training.landmarks import from_points

DATA = Path("tests/data/hand")


@pytest.fixture(scope="module")
def network():
    return open_hands(FOLDER / HANDS_FILE)


@pytest.fixture(scope="module")
def frame():
    return cv2.imread(str(DATA / "camera.jpg"), cv2.IMREAD_COLOR)


@pytest.fixture(scope="module")
def hands():
    """(H, W) bool: where hands truly are."""
    return cv2.imread(str(DATA / "hands.png"), cv2.IMREAD_GRAYSCALE) > 127


@pytest.fixture(scope="module")
def landmarks():
    return from_points(json.loads((DATA / "pose.json").read_text())["landmarks"])


@pytest.fixture
def pose(landmarks, frame):
    return Pose(landmarks, size_of(frame))


def view(pose, arm):
    return view_of(next(hand for hand in pose.hands if hand.arm == arm), pose.size)


def whole(frame, distance, view):
    """A map of the view's copy over the frame; far away where the view is not."""
    x, y, width, height = view.box
    result = np.full(frame.shape[:2], 9.0, np.float32)
    result[y : y + height, x : x + width] = cv2.resize(distance, (width, height))
    return result


@pytest.mark.parametrize(("arm", "least"), [(0, 0.6), (1, 0.4)])
def test_the_shape_is_the_hand_s_and_not_the_bare_arm_s(network, frame, hands, pose, arm, least):
    shape = look_at_hand(network, frame, pose, arm)
    there = view(pose, arm)
    inside = whole(frame, shape.distances(there)[0], there) < 0
    near = hands & (whole(frame, np.zeros(there.size[::-1], np.float32), there) < 1)
    assert (inside & near).sum() / (inside | near).sum() > least
    elbow, wrist = pose.points[[13 + arm, 15 + arm]]
    x, y = np.rint(wrist + 0.5 * (elbow - wrist)).astype(int)
    assert not inside[y - 3 : y + 4, x - 3 : x + 4].any()


@pytest.mark.parametrize("arm", [0, 1])
def test_where_no_hand_is_none_is_found(network, frame, landmarks, arm):
    moved = landmarks.copy()
    moved[list(HANDS[arm]), :2] += np.array([0.05, 0.12]) - moved[HANDS[arm][0], :2]  # a building
    assert look_at_hand(network, frame, Pose(moved, size_of(frame)), arm) is None


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_picture_has_the_same_hand_turned(network, frame, landmarks, pose, quarters):
    upright = look_at_hand(network, frame, pose, 0).points
    turned, there = frame, landmarks.copy()
    points, (width, height) = upright, size_of(frame)
    for _ in range(quarters):
        turned = np.rot90(turned)
        there[:, :2] = np.column_stack([there[:, 1], 1 - there[:, 0]])
        points = np.column_stack([points[:, 1], width - 1 - points[:, 0]])
        width, height = height, width
    turned = np.ascontiguousarray(turned)
    found = look_at_hand(network, turned, Pose(there, size_of(turned)), 0).points
    assert np.abs(found - points).mean() < 2


@pytest.mark.parametrize("knuckle", [(0, 0, 0, 0), (-1e30, 1e30, 0, 0.9), (np.nan, 0.5, 0, 0.9)])
def test_a_hand_whose_knuckle_is_nowhere_is_not_looked_at(frame, landmarks, knuckle):
    unknown = landmarks.copy()
    unknown[HANDS[0][1]] = knuckle

    def network(picture):
        raise AssertionError

    assert look_at_hand(network, frame, Pose(unknown, size_of(frame)), 0) is None


def test_the_square_shows_the_hand_with_its_fingers_upwards(frame, pose):
    seen = []

    def network(picture):
        seen.append(picture)
        return np.zeros((1, 63), np.float32), np.ones((1, 1), np.float32)

    assert look_at_hand(network, frame, pose, 0) is not None
    assert (seen[0].shape, seen[0].dtype) == ((1, SIDE, SIDE, 3), np.uint8)


def flat_hand(at=(100.0, 100.0), length=60.0):
    """Five straight fingers above a palm: the wrist below `at`, which is the middle knuckle."""
    points = np.zeros((21, 2), np.float32)
    points[0] = 0, 1
    for finger, x in enumerate((-0.5, -0.25, 0, 0.2, 0.4)):
        for joint in range(4):
            points[1 + 4 * finger + joint] = x, 0.3 * (finger == 0) - 0.28 * joint
    return HandShape(np.float32(at) + length * points)


@pytest.fixture
def beside(pose):
    """A view whose copy is as large as the frame's part."""
    hand = pose.hands[0]
    return HandView(hand, pose.size, 0.5, 10_000)


def test_distances_are_in_palm_lengths_from_the_outline(beside):
    x, y = beside.box[:2]
    shape = flat_hand((x + 100, y + 90))
    distance, along = shape.distances(beside)
    palm = 60
    assert distance[90 + 30, 100] < -0.08  # in the palm
    assert distance[90 - 40, 100] == pytest.approx(-0.085, abs=0.02)  # on the middle finger
    assert distance[90 - 75, 100] == pytest.approx(0.41 - 0.085, abs=0.02)  # above its tip
    assert along[90, 100] == pytest.approx(1, abs=0.02)
    assert along[90 + palm + 12, 100] == pytest.approx(-0.2, abs=0.02)


def test_a_hand_that_points_at_the_camera_has_a_palm_by_its_width(beside):
    points = flat_hand().points.copy()
    points[:, 1] = points[:, 1].mean()
    distance, _ = HandShape(points).distances(beside)
    assert np.isfinite(distance).all()


def test_the_nearest_of_two_hands_counts(beside):
    x, y = beside.box[:2]
    one, other = flat_hand((x + 40, y + 70), 30), flat_hand((x + 130, y + 70), 30)
    distance, along = nearest([one, other], beside)
    apart = [shape.distances(beside) for shape in (one, other)]
    assert np.array_equal(distance, np.minimum(apart[0][0], apart[1][0]))
    assert np.array_equal(along[:, :40], apart[0][1][:, :40])
    assert np.array_equal(along[:, 140:], apart[1][1][:, 140:])
