"""Hands' edges by the camera's colours, on drawn hands."""

import cv2
import numpy as np
import pytest

from pipeline.garment.hand_edges import HandBefore, hand_edges, view_of
from pipeline.garment.hand_shape import HandShape
from pipeline.garment.patch import window
from pipeline.garment.pose import Pose

SIZE = (640, 480)
SKIN, SHIRT = (110, 140, 200), (150, 120, 90)
PALM = (300, 250)
FINGERS = [(400, 215), (410, 240), (408, 266), (398, 290)]


def landmarks():
    points = np.zeros((33, 4), np.float32)
    # The right hand: wrist, little finger, index finger, thumb; nobody else is tracked.
    for number, (x, y) in {16: (262, 252), 18: (340, 276), 20: (342, 232), 22: (320, 222)}.items():
        points[number] = (x / SIZE[0], y / SIZE[1], 0, 0.99)
    return points


def hand_mask():
    mask = np.zeros(SIZE[::-1], np.uint8)
    cv2.ellipse(mask, PALM, (50, 34), 0, 0, 360, 255, -1)
    for tip in FINGERS:
        cv2.line(mask, (320, tip[1]), tip, 255, 13)
    return mask


@pytest.fixture
def pose():
    return Pose(landmarks(), SIZE)


def picture(skin, noise=6.0):
    frame = np.where(hand_mask()[..., None] > 0, skin, SHIRT).astype(np.float32)
    frame += np.random.default_rng(0).normal(0, noise, frame.shape)
    return cv2.GaussianBlur(frame, (0, 0), 1).clip(0, 255).astype(np.uint8)


def found(pose, frame, visible, left, shapes=()):
    """(H, W) bool: the hand, within its zone."""
    [hand] = pose.hands
    view = view_of(hand, SIZE)
    part = window(view.box)
    share, counts = hand_edges(
        HandBefore(hand, view, next(iter(shapes), None)), frame, pose, visible[part], left[part], shapes
    )
    whole = np.zeros(SIZE[::-1], bool)
    whole[part] = (counts > 0.5) & (share < 128)
    return whole


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def vague():
    """What a network tells of the hand: a blur, without fingers."""
    return 255 - cv2.GaussianBlur(hand_mask(), (0, 0), 14)


def disc():
    left = np.full(SIZE[::-1], 255, np.uint8)
    cv2.circle(left, (340, 252), 75, 0, -1)
    return left


def test_colour_finds_the_fingers_and_the_clothes_between_them(pose):
    hand = hand_mask() > 127
    assert overlap(vague() < 128, hand) < 0.7
    assert overlap(disc() < 128, hand) < 0.6
    assert overlap(found(pose, picture(SKIN), vague(), disc()), hand) > 0.8


def test_old_clothes_that_network_and_geometry_take_for_the_hand_are_found(pose):
    """Their colour is counted as the hand's in the first round, and less in the second."""
    hand = hand_mask() > 127
    taken = np.where(hand, 6, np.where(disc() < 128, 50, 247)).astype(np.uint8)
    assert overlap(taken < 128, hand) < 0.6
    assert overlap(found(pose, picture(SKIN), taken, disc()), hand) > 0.7


def test_where_skin_and_clothes_are_alike_network_and_geometry_decide(pose):
    hand = found(pose, picture(SHIRT), vague(), disc())
    assert hand[250, 300]  # both say so
    assert not hand[330, 320]  # neither does
    nothing = np.full(SIZE[::-1], 255, np.uint8)
    assert not found(pose, picture(SHIRT), nothing, nothing).any()


def test_a_hand_that_only_geometry_knows_is_not_lost(pose):
    """The network sees no hand in a real photograph's dark corner."""
    unsure = np.full(SIZE[::-1], 150, np.uint8)
    hand = hand_mask() > 127
    assert found(pose, picture(SKIN), unsure, disc())[hand].mean() > 0.95


def test_edges_are_as_soft_as_the_camera_s(pose):
    [hand] = pose.hands
    view = view_of(hand, SIZE)
    part = window(view.box)
    share, _ = hand_edges(
        HandBefore(hand, view, None), picture(SKIN, noise=0), pose, vague()[part], disc()[part], []
    )
    row = share[PALM[1] - 60 - view.box[1] : PALM[1] - view.box[1], PALM[0] - view.box[0]]
    between = ((row > 20) & (row < 235)).sum()
    assert 1 <= between <= 4


def test_the_border_of_where_a_hand_may_be_is_no_edge(pose):
    """It would be seen as a staircase on a cuff, where the network and geometry do not agree."""
    [hand] = pose.hands
    view = view_of(hand, SIZE)
    part = window(view.box)
    _, counts = hand_edges(HandBefore(hand, view, None), picture(SKIN), pose, vague()[part], disc()[part], [])
    assert counts.min() == 0
    assert counts.max() == 1
    assert max(np.abs(np.diff(counts, axis=axis)).max() for axis in (0, 1)) < 0.25


def test_a_sleeve_covers_the_other_arm_that_the_hand_lies_on():
    """Crossed arms: skin before skin. Only what geometry takes for the hand is the hand."""
    points = landmarks()
    for number, (x, y) in {11: (520, 60), 12: (180, 60), 13: (420, 200), 15: (390, 460)}.items():
        points[number] = (x / SIZE[0], y / SIZE[1], 0, 0.99)
    pose = Pose(points, SIZE)
    frame = picture(SKIN)
    cv2.line(frame, (420, 200), (392, 440), SKIN, 50)  # the bare forearm of the other arm
    left = 255 - hand_mask()
    there = found(pose, frame, vague(), left)
    assert not there[330:350, 400:410].any()
    assert there[250, 300]


def shape():
    """The landmarks of `hand_mask`: four fingers, and a thumb beside the first."""
    points = np.zeros((21, 2), np.float32)
    points[0] = 256, 252
    for finger, tip in enumerate([FINGERS[0], *FINGERS]):
        points[1 + 4 * finger : 5 + 4 * finger] = np.linspace((338, tip[1]), tip, 4)
    return HandShape(points)


def test_of_skin_before_skin_the_shape_tells_which_is_the_hand(pose):
    """A hand on the bare forearm of the other arm: neither colours nor the network tell them apart."""
    frame = picture(SKIN)
    cv2.line(frame, (425, 120), (425, 400), SKIN, 60)  # the forearm
    hand = hand_mask() > 127
    skin = hand | (cv2.line(np.zeros(SIZE[::-1], np.uint8), (425, 120), (425, 400), 1, 60) > 0)
    unsure = np.where(skin, 90, 250).astype(np.uint8)
    everything = np.full(SIZE[::-1], 255, np.uint8)
    assert overlap(found(pose, frame, unsure, everything), hand) < 0.65
    assert overlap(found(pose, frame, unsure, everything, [shape()]), hand) > 0.75


def test_beyond_the_wrist_a_sleeve_has_begun():
    """Of a bare forearm the network is unsure: the jacket's sleeve will cover it."""
    points = landmarks()
    for number, (x, y) in {11: (520, 60), 12: (60, 60), 14: (60, 252)}.items():
        points[number] = (x / SIZE[0], y / SIZE[1], 0, 0.99)
    pose = Pose(points, SIZE)
    frame = picture(SKIN)
    cv2.line(frame, (60, 252), (256, 252), SKIN, 44)
    unsure = np.where(cv2.line(hand_mask(), (60, 252), (256, 252), 255, 44) > 0, 105, 250).astype(np.uint8)
    there = found(pose, frame, unsure, disc(), [shape()])
    assert there[252, 250:340].all()
    assert not there[252, :204].any()


def test_a_hand_beside_counts_as_a_hand(pose):
    """The one shape does not give back what the other hides."""
    other = HandShape(shape().points + np.float32((0, 75)))
    frame = picture(SKIN)
    frame[75:] = np.where(hand_mask()[:-75, :, None] > 127, frame[:-75], frame[75:])
    both = hand_mask() > 127
    both[75:] |= hand_mask()[:-75] > 127
    there = found(pose, frame, np.where(both, 120, 230).astype(np.uint8), disc(), [shape(), other])
    assert there[320, 300:340].all()


def test_a_hand_beyond_the_frame_has_no_view():
    points = landmarks()
    points[:, 0] += 3 * (points[:, 3] > 0)
    points[0] = (0.5, 0.5, 0, 0.9)
    assert all(view_of(hand, SIZE) is None for hand in Pose(points, SIZE).hands)
