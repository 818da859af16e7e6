import numpy as np
import pytest

from families.fashn_vton.keypoints import body_points, draw
from tests.families.fashn_vton.vectors import load

# MediaPipe's numbers of COCO's 17 points, in COCO's order.
COCO = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]


@pytest.fixture(params=["person", "cloth", "garment_model"])
def vector(request):
    return load(f"pose_{request.param}")


def size(vector):
    return vector["pose_image"].shape[::-1]


def landmarks(vector):
    found = np.zeros((33, 4), np.float32)
    found[COCO, :2] = vector["raw_keypoints"][0, :17] / size(vector)
    found[COCO, 3] = vector["raw_scores"][0, :17]
    return found


def test_a_drawing_equals_the_upstreams(vector):
    drawn = draw(
        vector["candidate"], vector["subset"][0] >= 0, size(vector), vector["hands"], vector["faces"]
    )
    assert np.array_equal(drawn, vector["pose_image"])


def test_landmarks_become_the_same_points(vector):
    points, seen = body_points(landmarks(vector))
    assert np.array_equal(seen, vector["subset"][0] >= 0)
    np.testing.assert_allclose(points[seen], vector["candidate"][seen], atol=1e-6)


def test_a_body_without_face_and_hands_is_drawn_as_the_same_body(vector):
    points, seen = body_points(landmarks(vector))
    with_them = draw(points, seen, size(vector), vector["hands"], vector["faces"])
    alone = draw(points, seen, size(vector))
    differs = alone != with_them
    assert alone.any()
    # Only where hands and faces were drawn: their greys, or the circles' edges.
    assert set(np.unique(with_them[differs])) <= {200, *range(160, 221), 240}


def test_nothing_is_drawn_without_a_pose():
    assert not draw(*body_points(np.zeros((33, 4), np.float32)), (60, 90)).any()


def test_points_that_a_tracker_invents_are_not_drawn():
    """Hips below a frame of head and shoulders come with a visibility of 0.99; NaN comes from a division."""
    pose = np.full((33, 4), 0.5, np.float32)
    pose[[23, 24], 1] = 1.4
    pose[25, 0] = np.nan
    _, seen = body_points(pose)
    assert not seen[[8, 11, 12]].any()
    assert seen[[0, 1, 2, 5]].all()


def test_the_neck_needs_both_shoulders():
    pose = np.full((33, 4), 0.5, np.float32)
    pose[12, 3] = 0.2
    _, seen = body_points(pose)
    assert not seen[1]
    assert seen[5]
