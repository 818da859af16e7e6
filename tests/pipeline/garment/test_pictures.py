import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import NotAnImage
from pipeline.garment.pictures import cut_out, decode_frame, decode_render


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return np.frombuffer(buffer.getvalue(), np.uint8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_frame_is_read_as_bgr(kind):
    frame = decode_frame(encoded(Image.new("RGB", (8, 6), (250, 10, 10)), kind))
    assert frame.shape == (6, 8, 3)
    assert frame[3, 3, 2] > 200 > frame[3, 3, 0]


def test_a_frame_is_turned_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the picture is at the right
    assert decode_frame(encoded(Image.new("RGB", (8, 6)), "JPEG", exif=exif)).shape == (8, 6, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_bgr_and_keeps_its_alpha(mode):
    render = decode_render(encoded(Image.new(mode, (8, 6)), "PNG"))
    assert render.shape == (6, 8, 4 if mode.endswith("A") else 3)
    assert render.dtype == np.uint8


def test_a_jpeg_has_no_alpha():
    assert decode_render(encoded(Image.new("RGB", (8, 6)), "JPEG")).shape == (6, 8, 3)


def test_a_16_bit_render_keeps_its_alpha():
    picture = np.full((6, 8, 4), 0x80FF, np.uint16)
    _, data = cv2.imencode(".png", picture)
    assert (decode_render(data.reshape(-1)) == 0x80).all()


@given(st.binary(max_size=200))
def test_bytes_that_are_no_picture_are_refused(data):
    with pytest.raises(NotAnImage, match="camera_frame is not an image"):
        decode_frame(np.frombuffer(data, np.uint8))


def test_a_picture_that_is_cut_off_at_its_header_is_refused():
    data = encoded(Image.new("RGB", (64, 64)), "PNG")
    with pytest.raises(NotAnImage, match="jacket_render"):
        decode_render(data[:30])


def half_mask():
    """White on the left."""
    mask = np.zeros((4, 8), np.uint8)
    mask[:, :4] = 255
    return mask


def test_a_mask_cuts_out_a_render_without_alpha():
    render = np.full((40, 80, 3), (10, 20, 30), np.uint8)
    cut = cut_out(render, half_mask())
    assert (cut[:, :, :3] == render).all()
    assert (cut[:, :34, 3] == 255).all()
    assert (cut[:, 46:, 3] == 0).all()


def test_a_mask_cuts_the_render_out():
    render = np.full((40, 80, 4), (10, 20, 30, 255), np.uint8)
    render[:, :20, 3] = 0
    mask = half_mask()
    alpha = cut_out(render, mask)[:, :, 3]
    assert (alpha[:, :20] == 0).all(), "what was transparent stays so"
    assert (alpha[:, 20:34] == 255).all()
    assert (alpha[:, 46:] == 0).all()


def test_a_render_of_floating_point_numbers_is_refused():
    """OpenCV decodes more than the proxy lets through."""
    _, data = cv2.imencode(".tiff", np.zeros((6, 8, 3), np.float32))
    with pytest.raises(NotAnImage, match="jacket_render is not"):
        decode_render(data.reshape(-1))
