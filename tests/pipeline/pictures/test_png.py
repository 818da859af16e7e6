"""The PNG encoder, against OpenCV's and Pillow's decoders."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.pictures.png import encode_png


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 4]), st.integers(0, 2**32 - 1))
def test_a_picture_comes_back(height: int, width: int, channels: int, seed: int) -> None:
    shape = (height, width) if channels == 1 else (height, width, channels)
    picture = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    file = encode_png(picture)
    assert file.dtype == np.uint8
    assert file.ndim == 1
    assert np.array_equal(cv2.imdecode(file, cv2.IMREAD_UNCHANGED), picture)


def test_part_of_a_picture_can_be_written() -> None:
    """A view whose rows do not follow each other in memory."""
    picture = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)[3:17:2, 4:25:3]
    assert np.array_equal(cv2.imdecode(encode_png(picture), cv2.IMREAD_COLOR), picture)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_file_is_whole(mode: str) -> None:
    """Pillow checks what OpenCV overlooks: each chunk's sum."""
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    picture = np.full((8, 9, channels), 77, np.uint8)
    with Image.open(io.BytesIO(encode_png(picture[..., 0] if channels == 1 else picture))) as image:
        image.verify()
    with Image.open(io.BytesIO(encode_png(picture[..., 0] if channels == 1 else picture))) as image:
        assert (image.mode, image.size) == (mode, (9, 8))


def test_a_photograph_is_no_larger_than_opencvs() -> None:
    photograph = cv2.GaussianBlur(
        np.random.default_rng(2).integers(0, 256, (256, 256, 3), np.uint8), (0, 0), 3
    )
    theirs = cv2.imencode(".png", photograph, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1]
    assert len(encode_png(photograph)) <= 1.1 * len(theirs)
