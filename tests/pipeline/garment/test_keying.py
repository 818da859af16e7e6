"""Opaque canvases that show no video, but one colour behind the garment."""

import cv2
import numpy as np
import pytest

from pipeline.garment.keying import keyed
from pipeline.garment.masking import find_garment
from pipeline.garment.pose import Pose
from tests.pipeline.garment.scenes import FRAME_SIZE, iou, landmarks, outline, photograph

SIZE = (320, 240)


def canvas(background, cloth=(150, 60, 40), quality=85):
    drawn = np.full((SIZE[1], SIZE[0], 3), background, np.uint8)
    drawn[outline(SIZE) > 0] = cloth
    return cv2.imdecode(cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (60, 200, 60)])
def test_the_garment_is_what_differs_from_the_background(background):
    assert iou(keyed(canvas(background)) > 127, outline(SIZE)) > 0.95


def test_nothing_of_the_background_is_taken_along():
    """White between jacket and background would shine in a dark room."""
    drawn = canvas((255, 255, 255))
    brightness = drawn.max(axis=2)[keyed(drawn) > 127]
    assert np.percentile(brightness, 99) < 190


def test_a_button_of_the_background_s_colour_is_no_hole():
    drawn = canvas((0, 0, 0))
    cv2.circle(drawn, (160, 170), 3, (0, 0, 0), -1)
    assert keyed(drawn)[170, 160] == 255


@pytest.mark.parametrize(
    "drawn",
    [
        np.full((120, 160, 3), 90, np.uint8),
        photograph((160, 120)),
        np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((1, 300, 3), np.uint8),
    ],
)
def test_other_canvases_have_no_garment(drawn):
    assert keyed(drawn) is None


def test_the_garment_is_laid_like_a_transparent_one():
    frame = photograph(FRAME_SIZE)
    garment = find_garment(canvas((0, 0, 0)), frame, Pose(landmarks(), FRAME_SIZE))
    assert (garment.source, garment.reason) == ("difference", None)
    assert iou(garment.mask > 127, outline(FRAME_SIZE)) > 0.85  # less the hands and the face
