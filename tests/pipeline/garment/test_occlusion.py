"""What hides the garment, in few bytes."""

import base64

import cv2
import numpy as np
import pytest

from pipeline.garment.crop import Crop
from pipeline.garment.masking import Garment
from pipeline.garment.occlusion import occlusion
from pipeline.garment.registration import stretch


def garment(mask, source="difference", cuts=()):
    height, width = mask.shape
    laid = stretch((width, height), (width, height))
    return Garment(mask, np.zeros((*mask.shape, 3), np.uint8), source, laid, cuts=cuts)


def decoded(text):
    return cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_GRAYSCALE)


def test_all_but_the_garment_hides_an_opaque_canvas():
    mask = np.zeros((200, 300), np.uint8)
    cv2.circle(mask, (150, 100), 60, 255, -1)
    found = decoded(occlusion(garment(mask), Crop(50, 0, 200, 200), cut_out=False))
    assert found.shape == (200, 200)
    assert (found[100, 100], found[5, 5]) == (0, 255)


@pytest.mark.parametrize("cut_out", [False, True])
def test_a_transparent_canvas_is_hidden_where_hands_are(cut_out):
    mask = np.full((200, 200), 255, np.uint8)
    cuts = (((80, 90, 20, 30), np.zeros((30, 20), np.uint8)),)
    mask[90:120, 80:100] = 0
    found = decoded(occlusion(garment(mask, "alpha", cuts), Crop(0, 0, 200, 200), cut_out))
    assert (found[105, 90], found[20, 20]) == (255, 0)


def test_nothing_hides_it():
    mask = np.full((200, 200), 255, np.uint8)
    assert occlusion(garment(mask, "alpha"), Crop(0, 0, 200, 200), cut_out=False) is None


def test_a_ragged_outline_is_told_with_fewer_pixels():
    """An answer of 4 KB has room for 1,000 bytes of it."""
    random = np.random.default_rng(1)
    mask = (random.random((200, 200)) > 0.5).astype(np.uint8) * 255
    text = occlusion(garment(mask), Crop(0, 0, 200, 200), cut_out=False)
    assert len(base64.b64decode(text)) <= 1000
    assert decoded(text).shape[0] < 200
