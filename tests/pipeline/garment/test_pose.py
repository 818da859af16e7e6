import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pipeline.garment.pose import Pose, drawable
from tests.pipeline.garment.scenes import FRAME_SIZE, landmarks

WIDTH, HEIGHT = FRAME_SIZE
WILD = st.floats(width=32) | st.floats(-2, 3, width=32)


def test_a_person_in_the_frame_is_tracked():
    pose = Pose(landmarks(), FRAME_SIZE)
    assert pose.tracked
    assert pose.shoulder_width == pytest.approx(0.32 * WIDTH)


def test_no_pose_protects_nothing():
    pose = Pose(np.zeros((33, 4), np.float32), FRAME_SIZE)
    assert not pose.tracked
    assert not pose.protected.any()


def test_the_head_is_protected_down_to_the_chin_and_no_further():
    protected = Pose(landmarks(), FRAME_SIZE).protected
    for x, y in ((0.44, 0.26), (0.44, 0.33), (0.44, 0.14), (0.39, 0.24), (0.49, 0.24)):
        assert protected[int(y * HEIGHT), int(x * WIDTH)], (x, y)
    assert not protected[int(0.45 * HEIGHT) :].any()


def test_a_hand_is_protected_where_it_is_seen():
    seen = landmarks(p17=(0.40, 0.70), p19=(0.42, 0.72), p21=(0.44, 0.70))
    assert Pose(seen, FRAME_SIZE).protected[int(0.705 * HEIGHT), int(0.42 * WIDTH)]
    seen[[17, 19, 21], 3] = 0.2
    assert not Pose(seen, FRAME_SIZE).protected[int(0.705 * HEIGHT), int(0.42 * WIDTH)]


def test_a_hand_is_protected_from_the_cuff_to_the_fingertips():
    """A disc around the knuckles left the back of the hand to the jacket."""
    seen = landmarks(p15=(0.50, 0.70), p17=(0.42, 0.72), p19=(0.42, 0.69), p21=(0.44, 0.67))
    protected = Pose(seen, FRAME_SIZE).protected
    for x in (0.46, 0.42, 0.40):
        assert protected[int(0.70 * HEIGHT), int(x * WIDTH)], x
    assert not protected[int(0.70 * HEIGHT), int(0.55 * WIDTH)]


def test_points_outside_the_frame_do_not_count():
    """Trackers invent hands below the picture with high visibility."""
    invented = landmarks(p17=(0.40, 1.10), p19=(0.42, 1.12), p21=(0.44, 1.10))
    assert np.array_equal(Pose(invented, FRAME_SIZE).protected, Pose(landmarks(), FRAME_SIZE).protected)


@pytest.mark.parametrize(
    "hips", [{"p23": (0.5, 0.2), "p24": (0.4, 0.2)}, {"p23": (np.nan, 1), "p24": (1, np.inf)}]
)
def test_impossible_hips_are_replaced(hips):
    torso = Pose(landmarks(**hips), FRAME_SIZE).torso()
    assert torso[int(0.7 * HEIGHT), int(0.44 * WIDTH)]


@given(npst.arrays(np.float32, (33, 4), elements=WILD))
def test_any_landmarks_give_regions_of_the_frames_size(wild):
    pose = Pose(wild, FRAME_SIZE)
    assert pose.protected.shape == (HEIGHT, WIDTH)
    if pose.tracked:
        assert pose.torso().shape == (HEIGHT, WIDTH)


def test_a_hand_that_leaves_the_frame_is_as_wide_as_its_landmarks_tell():
    """Of a hand at the picture's lower edge, half was painted over: its wrist lies outside the frame."""
    leaving = landmarks(p15=(0.60, 1.03), p17=(0.50, 1.01), p19=(0.50, 0.95), p21=(0.53, 0.92))
    [hand] = Pose(leaving, FRAME_SIZE).hands
    outline = hand.outline.within((0, 0, *FRAME_SIZE))
    assert outline[HEIGHT - 2, int(0.52 * WIDTH) : int(0.57 * WIDTH)].all()
    far = leaving.copy()
    far[15, :2] = (0.60, 1.6)
    [guessed] = Pose(far, FRAME_SIZE).hands
    assert guessed.outline.mask.sum() < hand.outline.mask.sum()


def test_points_far_outside_are_drawn_near_the_picture():
    """OpenCV's coordinates are fixed-point: a million pixels away, a line ends anywhere."""
    points = drawable(np.array([[1e9, -1e9], [12.6, 3.2]]), 100)
    assert (points.tolist(), points.dtype) == ([[400, -400], [13, 3]], np.int32)
