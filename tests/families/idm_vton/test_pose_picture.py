import numpy as np
import pytest

from families.idm_vton.body_parts import coloured, draw
from families.idm_vton.pose_picture import pose_picture
from pipeline.errors import NotAnImage
from pipeline.garment.garment_picture import is_given
from pipeline.garment.pose import Pose
from tests.families.idm_vton.test_body_parts import SIZE, landmarks
from tests.families.idm_vton.vectors import png

NONE = np.zeros(1, np.uint8)
WINDOW = (0, 0, *SIZE)


def seen(height, width):
    """What the networks see of the person."""
    return np.zeros((height, width, 3), np.uint8)


def test_a_clients_picture_is_cut_to_what_the_networks_see():
    own = np.zeros((200, 150, 3), np.uint8)  # half the frame's size
    own[50:150] = (200, 90, 40)
    picture, drawn_from = pose_picture(landmarks(), png(own), SIZE, (0, 100, 300, 200), seen(64, 64))
    assert drawn_from == "client"
    assert np.array_equal(picture, np.broadcast_to((200, 90, 40), (64, 64, 3)))


def test_beyond_a_clients_picture_it_is_black():
    own = np.full((400, 300, 3), 255, np.uint8)
    picture, _ = pose_picture(landmarks(), png(own), SIZE, (-300, 0, 900, 400), seen(40, 90))
    assert not picture[:, :25].any()
    assert picture[:, 35:55].all()


def test_a_clients_picture_that_cannot_be_read_is_named():
    broken = np.frombuffer(b"no picture", np.uint8)
    assert is_given(broken)
    with pytest.raises(NotAnImage, match="pose_image"):
        pose_picture(landmarks(), broken, SIZE, WINDOW, seen(64, 64))


def test_without_one_the_pose_is_drawn():
    picture, drawn_from = pose_picture(landmarks(), NONE, SIZE, WINDOW, seen(*SIZE[::-1]))
    assert drawn_from == "landmarks"
    assert np.array_equal(picture, coloured(draw(Pose(landmarks(), SIZE), WINDOW, SIZE)))


def test_without_a_pose_it_is_black():
    picture, drawn_from = pose_picture(np.zeros((33, 4)), NONE, SIZE, WINDOW, seen(64, 48))
    assert drawn_from == "none"
    assert picture.shape == (64, 48, 3)
    assert not picture.any()
