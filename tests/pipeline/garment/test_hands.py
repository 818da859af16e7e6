import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pipeline.garment.hands import hand_pixels
from pipeline.garment.masking import find_garment
from pipeline.garment.pose import Pose
from tests.pipeline.garment.scenes import FRAME_SIZE, landmarks, transparent_render

SKIN, SHIRT = (140, 170, 220), (60, 120, 40)
POINTS = {"p15": (0.52, 0.72), "p17": (0.44, 0.76), "p19": (0.44, 0.70), "p21": (0.47, 0.68)}
POSE = Pose(landmarks(**POINTS), FRAME_SIZE)


def whole(patch):
    """(H, W) uint8."""
    return patch.within((0, 0, *FRAME_SIZE))


def true_hand():
    """A palm and four fingers that point to the left: (H, W) uint8, 0 or 1."""
    mask = np.zeros(FRAME_SIZE[::-1], np.uint8)
    cv2.ellipse(mask, (303, 345), (32, 22), 0, 0, 360, 1, -1)
    for y in (331, 341, 351, 361):
        cv2.line(mask, (285, y - 2), (252, y), 1, 7)
    return mask


def picture(shirt, skin=SKIN):
    rng = np.random.default_rng(0)
    frame = np.where(true_hand()[:, :, None] == 1, np.array(skin), np.array(shirt)).astype(np.float32)
    frame = cv2.GaussianBlur(frame, (0, 0), 0.8) + rng.normal(0, 4, frame.shape)
    return frame.clip(0, 255).astype(np.uint8)


def test_the_rim_of_old_clothes_around_a_hand_is_left_to_the_jacket():
    (hand,) = POSE.hands
    truth = true_hand()
    found = whole(hand_pixels(hand, picture(SHIRT), POSE))

    def iou(mask):
        return (mask & truth).sum() / (mask | truth).sum()

    assert iou(found) > 0.8
    assert iou(found) > iou(whole(hand.outline)) + 0.15
    assert truth[found == 0].sum() < 0.1 * truth.sum()


def test_a_hand_on_a_shirt_of_its_own_colour_keeps_its_whole_outline():
    (hand,) = POSE.hands
    assert hand_pixels(hand, picture(SKIN), POSE) is hand.outline


@pytest.mark.parametrize("shirt", [SHIRT, (30, 30, 160), (235, 235, 235), (20, 20, 20)])
def test_the_garment_covers_what_is_not_the_hand(shirt):
    """And not a pixel between wrist and knuckles."""
    mask = find_garment(transparent_render(), picture(shirt), POSE).mask
    (hand,) = POSE.hands
    assert not mask[whole(hand.palm) == 1].any()
    rim = (whole(hand.outline) == 1) & (cv2.dilate(true_hand(), np.ones((21, 21), np.uint8)) == 0)
    assert rim.sum() > 50, "the outline is no wider than the hand"
    assert (mask[rim] > 250).mean() > 0.95


@given(
    npst.arrays(np.uint8, (24, 32, 3)),
    st.floats(0.02, 0.98),
    st.floats(0.02, 0.98),
)
def test_whatever_is_seen_the_palm_is_the_hand_s_and_little_beyond_the_outline(small, x, y):
    frame = cv2.resize(small, FRAME_SIZE, interpolation=cv2.INTER_NEAREST)
    pose = Pose(landmarks(p17=(x, y), p19=(x + 0.02, y), p21=(x, y + 0.03)), FRAME_SIZE)
    for hand in pose.hands:
        found, outline = whole(hand_pixels(hand, frame, pose)), whole(hand.outline)
        assert set(np.unique(found)) <= {0, 1}
        longer = max(cv2.boundingRect(outline)[2:])
        side = 2 * round(0.15 * longer + 4) + 1
        assert not found[cv2.dilate(outline, np.ones((side, side), np.uint8)) == 0].any()
        if np.array_equal(found, outline):
            continue
        inner = cv2.erode(whole(hand.palm), np.ones((5, 5), np.uint8))
        assert found[inner == 1].all()


def test_stretched_fingers_reach_beyond_the_outline():
    """Up to a third of a hand was painted over: knuckles do not tell how long the fingers are."""
    truth, frame = true_hand(), picture(SHIRT)
    for y in (331, 341, 351, 361):
        cv2.line(truth, (285, y - 2), (228, y), 1, 7)
        cv2.line(frame, (285, y - 2), (228, y), SKIN, 7)
    (hand,) = POSE.hands
    beyond = (truth == 1) & (whole(hand.outline) == 0)
    assert beyond.sum() > 100
    found = whole(hand_pixels(hand, frame, POSE))
    assert found[beyond].mean() > 0.8
    assert found[truth == 0].sum() < 0.15 * truth.sum()


def test_a_bare_arm_beside_the_hand_is_left_to_the_sleeve():
    """Its colour is the hand's. It was taken for clothes, so that the colours seemed too similar."""
    pose = Pose(landmarks(**POINTS, p13=(0.70, 0.80)), FRAME_SIZE)
    frame = picture(SHIRT)
    cv2.line(frame, (335, 346), (448, 384), SKIN, 34)
    (hand,) = pose.hands
    found = whole(hand_pixels(hand, frame, pose))
    truth = true_hand()
    assert found[truth == 1].mean() > 0.85
    assert not found[360:, 385:].any()
    assert found[(truth == 0) & (np.arange(FRAME_SIZE[0]) < 300)].sum() < 0.15 * truth.sum()


def test_a_hand_behind_the_back_leaves_the_jacket_whole():
    points = landmarks(**POINTS)
    points[15, 2] = 0.3 * 0.32  # in shares of the frame's width, as x is
    behind = Pose(points, FRAME_SIZE)
    assert not behind.hands
    mask = find_garment(transparent_render(), picture(SHIRT), behind).mask
    assert mask[345, 303] == 255
    points[15, 2] = 0.1 * 0.32
    assert Pose(points, FRAME_SIZE).hands
    points[15, 2] = np.nan
    assert len(Pose(points, FRAME_SIZE).hands) == 1
