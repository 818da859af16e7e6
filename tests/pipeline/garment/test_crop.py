import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.garment.crop import Crop, around, latent_mask, person, pixels, place

RESOLUTION = (256, 256)


def box(frame, x, y, width, height):
    mask = np.zeros(frame[::-1], np.uint8)
    mask[y : y + height, x : x + width] = 255
    return mask


@given(st.tuples(*[st.integers(0, 199)] * 2), st.tuples(*[st.integers(1, 200)] * 2))
def test_the_crop_holds_the_whole_garment_and_has_the_networks_aspect(corner, size):
    mask = box((320, 240), *corner, *size)
    crop = around(mask, (128, 256))
    assert crop.width / crop.height == pytest.approx(2, rel=0.05)
    assert crop.height >= 32, "a garment of a few pixels would be shown without its scene"
    x, y, width, height = cv2.boundingRect(mask)
    assert crop.x <= x
    assert crop.y <= y
    assert crop.x + crop.width >= x + width
    assert crop.y + crop.height >= y + height


def test_the_crop_stays_in_the_frame_where_it_fits():
    crop = around(box((640, 480), 0, 300, 200, 180), RESOLUTION)
    assert crop.x == 0
    assert crop.y + crop.height == 480


def test_a_garment_as_large_as_the_frame_puts_the_frame_in_the_middle():
    crop = around(box((640, 480), 0, 0, 640, 480), RESOLUTION)
    assert crop.width == crop.height > 640
    assert crop.y == (480 - crop.height) // 2


def test_a_codecs_noise_far_from_the_garment_is_not_in_the_crop():
    """Pixels far away in a film of VP9 had an alpha of 1, and the crop was the whole frame."""
    mask = box((640, 480), 200, 200, 100, 120)
    expected = around(mask, RESOLUTION)
    mask[5, 5] = mask[470, 630] = 8
    assert around(mask, RESOLUTION) == expected


def test_what_lies_beyond_the_frame_is_filled():
    picture = np.full((100, 100, 3), 77, np.uint8)
    assert (Crop(-50, -50, 200, 200).of(picture, (64, 64), cv2.BORDER_REFLECT_101) == 77).all()
    outside = Crop(-50, -50, 200, 200).of(picture, (200, 200), cv2.BORDER_CONSTANT)
    assert outside[10, 10].max() == 0


def test_every_latent_that_the_garment_touches_is_painted():
    mask = box((256, 256), 100, 100, 9, 1)
    painted = latent_mask(Crop(0, 0, 256, 256), mask, RESOLUTION)
    assert painted.shape == (1, 1, 32, 32)
    assert set(zip(*np.nonzero(painted[0, 0]), strict=True)) == {(12, 12), (12, 13)}


@pytest.mark.parametrize("masked", [False, True])
def test_the_conditioning_image_is_blank_where_it_should_be(masked):
    composite = np.full((256, 256, 3), (0, 128, 255), np.uint8)  # BGR
    crop = Crop(0, 0, 256, 256)
    painted = latent_mask(crop, box((256, 256), 64, 64, 64, 64), RESOLUTION)
    images = pixels(crop, composite, painted, RESOLUTION, masked)
    assert images.shape == (2 if masked else 1, 3, 256, 256)
    assert images.dtype == np.float32
    assert images[0, :, 0, 0] == pytest.approx([1, 0, -1], abs=0.01)  # RGB
    inside = images[-1, :, 100, 100]
    assert inside == pytest.approx([0, 0, 0] if masked else [1, 0, -1], abs=0.01)


@pytest.mark.parametrize(
    ("frame", "framing", "expected"),
    [
        ((480, 640), "cover", (280, 0, 360, 480)),  # the garment in its middle
        ((640, 480), "cover", (0, 0, 480, 640)),
        ((1000, 300), "cover", (0, 500, 300, 400)),
        ((480, 640), "contain", (0, -187, 640, 853)),
        ((640, 480), "contain", (0, 0, 480, 640)),
        ((1000, 300), "contain", (-225, 0, 750, 1000)),
    ],
)
def test_the_networks_see_as_much_of_the_person_as_the_checkpoint_wants(frame, framing, expected):
    mask = np.zeros(frame, np.uint8)
    mask[-300:, 150:] = 255
    mask[:, -30:] = 0
    found = place(framing, mask, (256, 192))
    if framing == "contain" or frame[0] == 640:
        assert (found.x, found.y, found.width, found.height) == expected
    assert (found.width, found.height) == expected[2:]
    assert 0 <= found.x or framing == "contain"


def test_a_person_is_cut_out_by_half_coverage_and_the_latents_by_their_first_pixel():
    frame = np.full((64, 64, 3), 200, np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    mask[8:33, 8:32] = 128
    mask[40:48, 40:48] = 127
    seen, latents = person(Crop(0, 0, 64, 64), frame, mask, (64, 64), black_beside=False)
    hole = (seen[1] == 0).all(axis=0)
    assert np.array_equal(hole, mask == 128)
    assert latents[0, 0].sum() == 4 * 3, "rows 8, 16, 24 and 32; columns 8, 16 and 24"
    assert seen[0].min() > 0


def test_beside_the_frame_a_whole_person_stands_on_black():
    frame = np.full((64, 32, 3), 255, np.uint8)
    crop = place("contain", np.zeros((64, 32), np.uint8), (64, 64))
    seen, _ = person(crop, frame, np.zeros((64, 32), np.uint8), (64, 64), black_beside=True)
    assert (seen[0][:, :, :16] == -1).all()
    assert (seen[0][:, :, 16:48] == 1).all()
