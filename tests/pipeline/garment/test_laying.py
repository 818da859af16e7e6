import numpy as np
import pytest

from pipeline.garment.laying import Laying
from pipeline.garment.registration import Registration

MATRIX = np.array([[1 / 3, 0, -0.1], [0, 2 / 7, 1e-9]])
LAYING = Laying(Registration("plane", MATRIX, (1, 2, 3, 4)), "auto", (960, 540), (480, 640))


@pytest.mark.parametrize("plane", [None, (1, 2, 3, 4)])
def test_json_keeps_every_bit(plane):
    laying = Laying(Registration("cover", MATRIX, plane), "auto", (960, 540), (480, 640))
    again = Laying.from_json(laying.to_json())
    assert np.array_equal(again.registration.matrix, MATRIX)
    assert (again.registration.fit, again.registration.plane) == ("cover", plane)
    assert (again.render_fit, again.canvas, again.frame) == ("auto", (960, 540), (480, 640))


def test_no_text_is_no_laying():
    assert Laying.from_json("") is None


def test_it_holds_for_the_same_sizes_and_the_same_wish_only():
    assert LAYING.still_valid("auto", (960, 540), (480, 640))
    assert not LAYING.still_valid("body", (960, 540), (480, 640))
    assert not LAYING.still_valid("auto", (960, 541), (480, 640))
    assert not LAYING.still_valid("auto", (960, 540), (640, 480))
