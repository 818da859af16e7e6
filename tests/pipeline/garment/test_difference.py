import cv2
import numpy as np
import pytest

from pipeline.garment.difference import WORK_AT, difference_mask
from tests.pipeline.garment.scenes import iou, opaque_render, outline, photograph

SIZE = (WORK_AT, 336)


@pytest.fixture(scope="module")
def video():
    return photograph(SIZE)


def drawn_over(video):
    return np.ascontiguousarray(opaque_render(video, SIZE)[:, :, :3])


def found(render, video):
    return difference_mask(render, video) > 127


def noise(picture, sigma):
    random = np.random.default_rng(1)
    return (picture + random.normal(0, sigma, picture.shape)).clip(0, 255).astype(np.uint8)


def test_the_drawn_part_is_found(video):
    assert iou(found(drawn_over(video), video), outline(SIZE)) > 0.95


def test_where_nothing_was_drawn_nothing_is_found(video):
    assert not found(video, video).any()


@pytest.mark.parametrize("sigma", [2, 6])
def test_a_cameras_noise_is_no_garment(video, sigma):
    render, frame = noise(drawn_over(video), sigma), noise(video, sigma)
    assert iou(found(render, frame), outline(SIZE)) > 0.9
    assert found(noise(video, sigma), video).mean() < 0.01


@pytest.mark.parametrize("gains", [(0.8, 0.8, 0.8), (1.2, 1.0, 0.9)])
def test_another_exposure_or_white_balance_is_no_garment(video, gains):
    """The camera's automatic exposure changed between the render and the frame."""
    render = drawn_over((video * np.array(gains)).clip(0, 255).astype(np.uint8))
    assert iou(found(render, video), outline(SIZE)) > 0.9


def test_a_person_who_moved_a_little_is_no_garment(video):
    moved = np.roll(video, (2, 2), axis=(0, 1))
    mask = found(drawn_over(moved), video)
    assert iou(mask, outline(SIZE)) > 0.85


def test_a_codec_is_no_garment(video):
    _, data = cv2.imencode(".jpg", drawn_over(video), [cv2.IMWRITE_JPEG_QUALITY, 60])
    assert iou(found(cv2.imdecode(data, cv2.IMREAD_COLOR), video), outline(SIZE)) > 0.9


def test_a_gap_of_the_frames_own_colour_inside_the_garment_is_filled(video):
    """A jacket that has by chance the colour of what it covers is not transparent there."""
    frame = video.copy()
    frame[250:256, 150:156] = (200, 120, 20)  # the jacket's colour, under the jacket
    assert outline(SIZE)[250:256, 150:156].all()
    assert found(drawn_over(frame), frame)[250:256, 150:156].all()


def test_the_edge_is_soft(video):
    mask = difference_mask(drawn_over(video), video)
    assert ((mask > 0) & (mask < 255)).any()


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (16, 448), (448, 1), (20, 20)])
def test_small_and_thin_pictures_work(size):
    """The reach of closing was rounded to 0 pixels, which cut the whole picture away."""
    random = np.random.default_rng(0)
    video = random.integers(0, 256, (*size, 3), np.uint8)
    render = video.copy()
    render[: (size[0] + 1) // 2] = 255 - render[: (size[0] + 1) // 2]
    assert difference_mask(render, video).shape == size


def test_a_black_garment_before_black_things_has_no_holes():
    """The black jacket of a real frontend had holes wherever the camera showed something as dark."""
    random = np.random.default_rng(1)
    video = cv2.GaussianBlur(random.integers(0, 256, (252, 448, 3)).astype(np.uint8), (0, 0), 9)
    video = cv2.convertScaleAbs(video, alpha=3, beta=-250)
    jacket = np.zeros((252, 448), np.uint8)
    cv2.rectangle(jacket, (120, 60), (330, 251), 255, -1)
    cv2.circle(video, (220, 150), 50, (10, 8, 9), -1)  # nearly as dark as the jacket
    cv2.rectangle(video, (200, 140), (240, 160), (25, 25, 25), -1)  # exactly as dark
    render = video.copy()
    render[jacket > 0] = (25, 25, 25)
    _, data = cv2.imencode(".jpg", render, [cv2.IMWRITE_JPEG_QUALITY, 85])
    mask = difference_mask(cv2.imdecode(data, cv2.IMREAD_COLOR), video)
    assert (mask[65:245, 125:325] > 127).all()
    assert (mask[:55] < 128).all()
    assert (mask[:, 340:] < 128).all()
