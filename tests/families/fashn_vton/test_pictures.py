import numpy as np
import pytest
import torch
from PIL import Image

from families.fashn_vton.pictures import Letterbox, shrunk, to_tensor
from pipeline.resize import size_of
from tests.families.fashn_vton.vectors import load, picture

FULL, SMALL = (576, 864), (72, 108)  # width, height


def grey(rgb):
    return np.asarray(Image.fromarray(rgb).convert("L"))


@pytest.mark.parametrize("name", ["tall", "wide", "small"])
def test_resizing_equals_the_upstreams(name):
    """Shrunk, shrunk to another shape, and enlarged."""
    photo = shrunk(picture(f"inputs/resize_{name}.png"), max(FULL))
    box = Letterbox.of(size_of(photo), FULL)
    assert np.array_equal(box.lay(photo), picture(f"resize_{name}.png"))
    assert np.array_equal(box.lay_drawing(grey(photo)), picture(f"resize_{name}_nearest.png"))


@pytest.mark.parametrize("name", ["person", "cloth"])
def test_the_first_shrinking_equals_the_upstreams(name):
    found = shrunk(picture(f"inputs/{name}.png"), max(SMALL))
    assert np.array_equal(found, picture(f"inputs/{name}_preresized.png"))


def test_small_pictures_are_not_enlarged_at_first():
    photo = np.zeros((20, 30, 3), np.uint8)
    assert shrunk(photo, 864) is photo


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (1, 1)])
def test_no_picture_is_too_thin(size):
    photo = shrunk(np.zeros((*size, 3), np.uint8), 864)
    assert Letterbox.of(size_of(photo), FULL).lay(photo).shape == (864, 576, 3)


def test_the_borders_lie_where_the_upstreams_lie():
    """Left, top, right, below."""
    box = Letterbox.of((86, 108), SMALL)
    assert (box.left, box.top, 0, 9) == tuple(load("run_steps6_flatlay")["padding"])
    assert box.cut(torch.zeros(3, 108, 72)).shape == (3, 90, 72)


def test_pixels_are_minus_one_to_one():
    assert to_tensor(np.array([[0, 255]], np.uint8)).tolist() == [[[-1.0, 1.0]]]
    assert to_tensor(np.zeros((4, 5, 3), np.uint8)).shape == (3, 4, 5)
