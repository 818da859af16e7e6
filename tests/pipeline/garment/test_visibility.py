"""What the network sees, and what becomes of its answer. The network itself is a stand-in."""

import cv2
import numpy as np
import pytest

from pipeline.garment.crop import Crop
from pipeline.garment.masking import composite, find_garment
from pipeline.garment.pose import Pose
from pipeline.garment.visibility import (
    PLANES,
    SIDE,
    Networks,
    Visibility,
    hide,
    in_window,
    planes,
    spread,
    window_of,
)
from tests.pipeline.garment.scenes import (
    FRAME_SIZE,
    landmarks,
    no_hand,
    opaque_render,
    outline,
    photograph,
    transparent_render,
)

HANDS = {"p15": (0.5, 0.7), "p17": (0.42, 0.74), "p19": (0.42, 0.68), "p21": (0.45, 0.66)}
NOBODY = Pose(np.zeros((33, 4), np.float32), FRAME_SIZE)


@pytest.fixture(scope="module")
def frame():
    return photograph()


def pose(**points):
    return Pose(landmarks(**(HANDS | points)), FRAME_SIZE)


class Network:
    """Answers 255 but where `told` says otherwise, and remembers what it was asked."""

    def __init__(self, told=lambda answer: None):
        self.told, self.asked = told, []

    def __call__(self, seen):
        assert (seen.shape, seen.dtype) == ((1, SIDE, SIDE, PLANES), np.uint8)
        self.asked.append(seen[0])
        answer = np.full((1, SIDE, SIDE, 2), 255, np.uint8)
        self.told(answer[0])
        return answer


def networks(visible):
    return Networks(visible, no_hand)


def hidden_square(answer):
    answer[160:190, 40:70, 1] = 0


def test_the_window_holds_the_garment_with_room_and_the_chin_above():
    crop = window_of(255 * outline().astype(np.uint8))
    x, y, width, height = cv2.boundingRect(outline().astype(np.uint8))
    assert crop.width == crop.height > 1.2 * max(width, height)
    above, below = y - crop.y, crop.y + crop.height - y - height
    assert above > below > 0
    assert abs(x - crop.x - (crop.x + crop.width - x - width)) <= 1


def test_a_faint_shadow_does_not_widen_the_window():
    mask = 255 * outline().astype(np.uint8)
    wide = mask.copy()
    wide[0, 0] = 5
    assert window_of(wide) == window_of(mask)


def test_the_pose_is_moved_into_the_window():
    whole = pose()
    crop = Crop(100, 50, 400, 400)
    here = in_window(whole, crop)
    assert np.allclose(here.points[15], (whole.points[15] - (100, 50)) * SIDE / 400)
    assert not in_window(Pose(np.zeros((33, 4)), FRAME_SIZE), crop).landmarks.any()


def test_a_nearer_hand_is_drawn_brighter_than_one_behind_the_hips():
    """Nothing else tells the network that a hand is hidden by the jacket."""
    brightest = []
    for depth in (-0.4, 0.0, 0.4):
        points = landmarks(**HANDS)
        points[15, 2] = depth
        here = in_window(Pose(points, FRAME_SIZE), Crop(100, 50, 400, 400))
        grey = np.zeros((SIDE, SIDE), np.uint8)
        brightest.append(planes(np.dstack([grey] * 3), np.dstack([grey] * 3), grey, grey, here)[..., 8].max())
    assert brightest == sorted(brightest, reverse=True)
    assert brightest[0] > brightest[2] + 60


def test_the_colour_of_the_palm_is_found_everywhere(frame):
    picture = np.full((SIDE, SIDE, 3), (90, 60, 40), np.uint8)
    here = in_window(pose(), Crop(100, 50, 400, 400))
    palm = here.points[[15, 17, 19, 21]].mean(axis=0)
    for centre in (palm, (30, 30), *here.points[[0, 9, 10]]):
        cv2.circle(picture, tuple(np.rint(centre).astype(int).tolist()), 9, (120, 150, 210), -1)
    grey = np.zeros((SIDE, SIDE), np.uint8)
    skin = planes(picture, picture, grey, grey, here)[..., 11]
    assert skin[30, 30] > 200
    assert skin[30, 60] < 60


@pytest.mark.parametrize("side", [200, SIDE, 700])
def test_a_share_of_the_window_lies_at_its_place_on_the_frame(side):
    crop, share = Crop(40, 30, side, side), np.zeros((SIDE, SIDE), np.uint8)
    share[100:120, 60:80] = 255
    laid = spread(share, crop, (40, 30, side, side))
    rows, columns = np.nonzero(laid > 127)
    middle = np.array([columns.mean(), rows.mean()]) + 0.5
    assert np.allclose(middle, np.array([70, 110]) * side / SIDE, atol=0.6 * max(1, side / SIDE))


@pytest.fixture
def left():
    """What geometry leaves of a garment that fills the frame: a hand lies in its middle."""
    share = np.full((400, 400), 255, np.uint8)
    share[150:225, 100:160] = 0
    return share


NO_HAIR = np.zeros((SIDE, SIDE), np.uint8)


@pytest.mark.parametrize(("probability", "stays"), [(0.0, False), (0.8, False), (0.99, True)])
def test_what_geometry_hides_stays_where_the_network_is_sure(left, probability, stays):
    mask, colour = np.full((400, 400), 255, np.uint8), np.full((400, 400, 3), 90, np.uint8)
    visible = np.full((SIDE, SIDE), round(255 * probability), np.uint8)
    cuts = hide(Visibility(Crop(0, 0, 400, 400), visible, NO_HAIR), mask, colour, left, colour, NOBODY, [])
    assert (mask[left == 0] == 255 * stays).all()
    assert (colour[left == 0] == 90 * stays).all()
    assert (mask[left == 255] == 255).all()  # whatever the network says
    assert [(box, share.shape) for box, share in cuts] == [((100, 150, 60, 75), (75, 60))][: not stays]


def test_where_geometry_hides_nothing_nothing_is_taken_out():
    mask, colour = np.full((300, 300), 255, np.uint8), np.full((300, 300, 3), 90, np.uint8)
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    seen = Visibility(Crop(0, 0, 300, 300), nothing, NO_HAIR)
    assert hide(seen, mask, colour, mask.copy(), colour, NOBODY, []) == []
    assert (mask == 255).all()


def test_what_hair_hides_is_taken_out():
    mask, colour = np.full((400, 400), 255, np.uint8), np.full((400, 400, 3), 90, np.uint8)
    hair = NO_HAIR.copy()
    hair[64:128, 32:48] = 255
    seen = Visibility(Crop(0, 0, 400, 400), np.full((SIDE, SIDE), 255, np.uint8), hair)
    assert hide(seen, mask, colour, mask.copy(), colour, NOBODY, [])
    assert not mask[105:195, 54:71].any()
    assert not colour[105:195, 54:71].any()
    mask[98:203, 48:78] = 255
    assert (mask == 255).all()


def test_hair_is_looked_for_below_the_head(frame):
    crop = window_of(255 * outline().astype(np.uint8))
    points = landmarks()
    points[:11, 1] += 0.12 * points[:11].any(axis=1)  # the chin at the jacket
    lower = Pose(points, FRAME_SIZE)

    def strand(answer):
        x, y, width, height = in_window(lower, crop).head.box
        answer[y + height - 4 : y + height + 40, x + width // 2 - 16 : x + width // 2 - 8, 1] = 5

    taken = [
        (
            find_garment(transparent_render(), frame, lower, networks=networks(network)).mask[outline()] < 20
        ).sum()
        for network in (Network(), Network(strand))
    ]
    assert taken[1] > taken[0] + 200


@pytest.mark.parametrize(
    "canvas", [lambda _: transparent_render(), lambda frame: opaque_render(frame, (960, 540))]
)
def test_the_network_gives_back_what_geometry_takes_and_takes_nothing_itself(frame, canvas):
    network = Network(hidden_square)
    garment = find_garment(canvas(frame), frame, pose(), networks=networks(network))
    palm = np.rint(pose().points[[15, 17, 19, 21]].mean(axis=0)).astype(int)
    assert garment.mask[palm[1], palm[0]] > 250
    crop = window_of(255 * outline().astype(np.uint8))
    x, y = round(crop.x + 55 / SIDE * crop.width), round(crop.y + 175 / SIDE * crop.height)
    assert outline()[y, x]
    assert garment.mask[y, x] > 250
    assert len(network.asked) == 1
    assert (network.asked[0][..., 6] > 127).mean() > 0.2, "it sees where the garment is"
    assert (composite(garment, frame)[garment.mask == 0] == frame[garment.mask == 0]).all()


def test_without_a_pose_nobody_asks_the_network(frame):
    network = Network()
    find_garment(
        transparent_render(),
        frame,
        Pose(np.zeros((33, 4), np.float32), FRAME_SIZE),
        networks=networks(network),
    )
    assert not network.asked


def test_without_the_network_geometry_decides(frame):
    mask = find_garment(transparent_render(), frame, pose()).mask
    [hand] = pose().hands
    assert not mask[hand.palm.within((0, 0, *FRAME_SIZE)) == 1].any()


def test_a_canvas_without_a_garment_never_asks_the_network(frame):
    """It might see one."""
    network = Network()
    canvas = cv2.resize(frame, (960, 540))
    assert find_garment(canvas, frame, pose(), networks=networks(network)).reason == "no_garment"
    assert find_garment(np.zeros((90, 90, 3), np.uint8), frame, pose(), networks=networks(network)).reason
    assert not network.asked


def test_where_two_hands_may_be_either_hides_the_garment():
    """The first has no shape, and the network is unsure; the second's does not give back what it hides."""
    grey = np.full((FRAME_SIZE[1], FRAME_SIZE[0], 3), 120, np.uint8)
    other = {"p16": (0.5, 0.76), "p18": (0.42, 0.8), "p20": (0.42, 0.74), "p22": (0.45, 0.72)}
    both = pose(**other)
    answers = [no_hand(None)]

    def hands(picture):
        return answers.pop() if answers else (np.full((1, 63), 112, np.float32), np.ones((1, 1), np.float32))

    def unsure(answer):
        answer[..., 1] = 120

    mask = find_garment(transparent_render(), grey, both, networks=Networks(Network(unsure), hands)).mask
    x, y = np.rint(both.points[[15, 17, 19, 21]].mean(axis=0)).astype(int)
    assert both.hands[1].reach.within((0, 0, *FRAME_SIZE))[y, x], "within the other's zone, too"
    assert mask[y, x] < 20


def test_only_hands_before_the_garment_are_looked_at(frame):
    asked = []

    def hands(picture):
        asked.append(picture)
        return no_hand(picture)

    find_garment(transparent_render(), frame, pose(), networks=Networks(Network(), hands))
    assert len(asked) == 1
    beside = {name: (x + 0.5, y - 0.6) for name, (x, y) in HANDS.items()}
    find_garment(transparent_render(), frame, pose(**beside), networks=Networks(Network(), hands))
    assert len(asked) == 1


@pytest.mark.parametrize("fit", ["stretch", "body"])
def test_a_garment_that_is_moved_onto_the_body_is_still_hidden_by_hands(frame, fit):
    network = Network(hidden_square)
    garment = find_garment(opaque_render(frame, (960, 540)), frame, pose(), fit, networks=networks(network))
    assert len(network.asked) == 1
    assert garment.reason is None
