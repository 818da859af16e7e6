import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.errors import InvalidInput, NotAnImage
from pipeline.garment.garment_picture import LONGEST_SIDE, garment_picture, is_given
from tests.pipeline.encoded_pictures import encoded
from tests.pipeline.garment.scenes import photograph, transparent_render
from tests.pipeline.garment.test_pictures import encoded as with_options

NONE = np.zeros(1, np.uint8)
RED, GREY = (200, 30, 10), (128, 128, 128)
FRAME = photograph()
COVERED = np.zeros(FRAME.shape[:2], np.uint8)
COVERED[100:300, 200:400] = 255


def compressed(picture):
    return cv2.imencode(".png", picture)[1].reshape(-1)


def picture_of(background=None, **given):
    drawn = {"composite": FRAME, "mask": COVERED}
    pictures = dict.fromkeys(("garment_image", "jacket_render", "client_mask"), NONE)
    more = {} if background is None else {"background": background}
    return garment_picture(**{**pictures, **drawn, **given, **more})


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_read_as_rgb(kind):
    found = picture_of(garment_image=with_options(Image.new("RGB", (80, 60), RED), kind))
    assert (found.shape, found.dtype) == ((60, 80, 3), np.uint8)
    assert found.flags.c_contiguous
    assert np.abs(found - np.int16(RED)).max() < 12


def test_a_photo_stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = with_options(Image.new("RGB", (80, 60)), "JPEG", exif=exif)
    assert picture_of(garment_image=data).shape == (80, 60, 3)


@pytest.mark.parametrize("background", [(255, 255, 255), GREY, (0, 10, 250)])
def test_what_is_transparent_becomes_the_background(background):
    cut_out = Image.new("RGBA", (80, 60), (*RED, 0))
    cut_out.paste((*RED, 255), (20, 15, 60, 45))
    found = picture_of(background, garment_image=with_options(cut_out, "PNG"))
    assert found.shape == (60, 80, 3), "a photo is not cropped"
    assert tuple(found[2, 2]) == background
    assert tuple(found[30, 40]) == RED


def test_a_photo_comes_before_the_render():
    data = with_options(Image.new("RGB", (80, 60), RED), "PNG")
    found = picture_of(garment_image=data, jacket_render=compressed(transparent_render()))
    assert found.shape == (60, 80, 3)


def test_a_render_is_cropped_to_its_alpha():
    render = transparent_render()
    x, y, width, height = cv2.boundingRect(render[:, :, 3])
    found = picture_of(GREY, jacket_render=compressed(render))
    assert found.shape == (height, width, 3)
    inside = render[y : y + height, x : x + width, 3] == 255
    assert {tuple(colour) for colour in found[inside]} == {(20, 120, 200)}
    assert {tuple(colour) for colour in found[~inside]} == {GREY}


def test_a_render_keeps_its_clients_mask():
    render, mask = transparent_render(), np.zeros((480, 640), np.uint8)
    mask[:, :300] = 255
    found = picture_of(jacket_render=compressed(render), client_mask=compressed(mask))
    full = picture_of(jacket_render=compressed(render))
    assert found.shape[1] < full.shape[1]


def test_a_canvas_over_the_video_gives_what_was_found_in_it():
    """Such a canvas has no alpha; `preprocess` has found the garment on the frame."""
    for canvas in (FRAME, cv2.cvtColor(FRAME, cv2.COLOR_BGR2BGRA)):
        found = picture_of(jacket_render=compressed(canvas))
        assert np.array_equal(found, FRAME[100:300, 200:400, ::-1])


def test_an_empty_canvas_is_background():
    found = picture_of(GREY, jacket_render=compressed(np.zeros((9, 16, 4), np.uint8)))
    assert {tuple(colour) for colour in found.reshape(-1, 3)} == {GREY}


def test_a_huge_photo_is_made_smaller():
    data = compressed(np.zeros((40, 3 * LONGEST_SIDE, 3), np.uint8))
    assert picture_of(garment_image=data).shape[1] == LONGEST_SIDE


@pytest.mark.parametrize("kind", ["JPEG", "RGBA PNG"])
def test_a_broken_photo_is_named(kind):
    data = np.frombuffer(encoded(64, 48, kind), np.uint8)
    for broken in (data[:20], np.zeros(0, np.uint8), data[::-1]):
        with pytest.raises(NotAnImage, match="garment_image is not an image"):
            picture_of(garment_image=broken)


def test_a_photo_with_an_endless_side_is_refused():
    with pytest.raises(InvalidInput, match="garment_image is 20000×2 pixels"):
        picture_of(garment_image=compressed(np.zeros((2, 20_000, 3), np.uint8)))


def test_one_byte_is_no_picture():
    assert not is_given(NONE)
    assert is_given(np.zeros(0, np.uint8)), "an empty file is a broken picture"
    assert is_given(np.zeros(2, np.uint8))
