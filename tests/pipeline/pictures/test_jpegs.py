"""JPEGs are decoded by libjpeg-turbo, as OpenCV does it."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.pictures.decoding import NotAPicture, decode_opaque, decode_with_alpha


def encoded(picture, **options):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


JPEGS = {
    **{f"4:{name}": {"subsampling": number} for number, name in enumerate(("4:4", "2:2", "2:0"))},
    "progressive": {"progressive": True},
    "with restarts": {"restart_marker_rows": 1},
    "of red, green and blue": {"keep_rgb": True},
    "of a bad quality": {"quality": 5},
}


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 48), (131, 97)])
def test_a_jpeg_is_what_opencv_makes_of_it(name, size):
    noise = np.random.default_rng(1).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    data = encoded(Image.fromarray(cv2.GaussianBlur(noise, (0, 0), 1)), **JPEGS[name])
    wanted = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert (decode_opaque(data) == wanted).all()
    assert (decode_with_alpha(data) == wanted).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_jpeg_with_errors_is_what_opencv_makes_of_it(seed):
    random = np.random.default_rng(seed)
    data = bytearray(encoded(Image.effect_noise((200, 200), 60).convert("RGB")))
    for at in random.integers(700, len(data) - 2, 3):  # among the pixels
        data[at] = random.integers(0, 255)
    wanted = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if wanted is None:
        with pytest.raises(NotAPicture):
            decode_opaque(bytes(data))
    else:
        assert (decode_opaque(bytes(data)) == wanted).all()
