import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.resize import halved, shrink_to, shrink_within, size_of

sides = st.integers(1, 600)


def gradient(width, height):
    return np.add.outer(np.linspace(0, 120, height), np.linspace(0, 120, width)).astype(np.uint8)


def test_the_size_has_the_width_first():
    assert size_of(np.zeros((3, 7, 4))) == (7, 3)


@pytest.mark.parametrize(
    ("size", "half"), [((8, 6), (4, 3)), ((9, 7), (4, 3)), ((1, 9), (1, 4)), ((1, 1), (1, 1))]
)
def test_halving_keeps_at_least_one_pixel(size, half):
    assert size_of(halved(gradient(*size))) == half


@given(sides, sides, sides, sides)
def test_shrinking_reaches_the_exact_size_from_any_other(width, height, to_width, to_height):
    """A picture of one row was halved to none, and OpenCV failed."""
    assert size_of(shrink_to(gradient(width, height), (to_width, to_height))) == (to_width, to_height)


@given(sides, sides, st.integers(1, 300))
def test_a_picture_is_shrunk_within_its_longest_side_and_never_enlarged(width, height, longest):
    found = size_of(shrink_within(gradient(width, height), longest))
    assert max(found) == min(longest, max(width, height)) or abs(max(found) - longest) <= 1
    assert found[0] <= width
    assert found[1] <= height
    assert min(found) >= 1


@settings(deadline=None)
@given(st.integers(200, 900), st.integers(200, 900), st.floats(0.1, 1))
def test_a_smaller_copy_is_near_to_an_average_over_areas(width, height, scale):
    """Skipped pixels would show as noise, as nearest neighbours do."""
    picture = cv2.GaussianBlur(
        np.random.default_rng(0).integers(0, 256, (height, width), np.uint8), (0, 0), 1.0 / scale
    )
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    exact = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(shrink_to(picture, size) - exact).mean() < 3
