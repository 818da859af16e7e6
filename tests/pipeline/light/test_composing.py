"""A light laid on a live frame and a live canvas."""

import cv2
import numpy as np
import pytest

from pipeline.garment.masking import over
from pipeline.garment.softness import soften
from pipeline.light.composing import PlacedLight, composed, steadied
from pipeline.light.compositing import found_light, relit
from pipeline.light.light_map import encode_light

SIZE = (320, 240)
CODING = {"range": 1.4, "floor": 0.04, "sigma": 3 / 256, "detail_gain": 1.15}


def placed(light, crop=(0.0, 0.0, 1.0, 1.0), anchor=None, occlusion=None, layer=None):
    image = encode_light(np.array(light, np.float32), np.ones(light.shape[:2], np.float32)).tobytes()
    told = {"crop": crop, "anchor": anchor, "layer_matrix": layer, "light_coding": CODING}
    return PlacedLight.of(image, told, occlusion)


@pytest.fixture
def frame():
    return np.full((SIZE[1], SIZE[0], 3), (40, 90, 60), np.uint8)


@pytest.fixture
def layer():
    canvas = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    stripes = np.where(np.arange(160) // 6 % 2, 130, 90).astype(np.uint8)
    canvas[60:200, 80:240, :3] = stripes[None, :, None]
    canvas[60:200, 80:240, 3] = 255
    return canvas


def test_it_is_the_servers_picture(frame, layer):
    laid = soften(cv2.cvtColor(layer, cv2.COLOR_RGBA2mRGBA), 1.0)
    mask = cv2.extractChannel(laid, 3)
    start = over(cv2.cvtColor(laid, cv2.COLOR_BGRA2BGR), mask, frame)
    crop = np.array([50, 20, 220, 220])
    side = np.linspace(0.5, 1.6, 220)[None, :, None] * np.array([0.8, 1, 1.1])
    painted = (start[20:240, 50:270] * side).clip(0, 255).astype(np.uint8)
    picture = cv2.resize(painted, (256, 256), interpolation=cv2.INTER_AREA)
    wanted, _ = relit(picture, start, mask, crop, 3.0, detail_gain=1.15)
    found = found_light(picture, start, mask, crop, 3.0)
    image = encode_light(found.light, found.coverage).tobytes()
    shares = (crop / [*SIZE, *SIZE]).tolist()
    told = {"crop": shares, "anchor": None, "layer_matrix": None, "light_coding": CODING}
    shown = composed(frame, layer, PlacedLight.of(image, told, None))
    error = (shown.astype(np.float32) - wanted)[mask > 127]
    assert 10 * np.log10(255**2 / (error**2).mean()) > 40
    assert np.array_equal(shown[:50], frame[:50])


def test_what_hides_the_layer_stays_before_it(frame, layer):
    hidden = np.zeros((48, 48), np.uint8)
    hidden[:, :24] = 255
    webp = cv2.imencode(".webp", hidden, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    shown = composed(frame, layer, placed(np.full((40, 40, 3), 0.5), occlusion=webp))
    assert (shown[130, 100] == frame[0, 0]).all()
    assert shown[130, 220, 0] > 120


def test_the_layer_may_lie_elsewhere(frame, layer):
    """From shares of the frame to those of the canvas: its left half is stretched over the frame."""
    shown = composed(frame, layer, placed(np.zeros((40, 40, 3)), layer=[0.5, 0, 0, 0, 1, 0]))
    assert (shown[130, 40] == frame[0, 0]).all()
    assert shown[130, 300, 1] != 90 or shown[130, 300, 0] > 60


def test_the_light_moves_with_the_person(frame, layer):
    values = np.zeros((40, 40, 3))
    values[:, :20], values[:, 20:] = 0.6, -0.6
    light = placed(values, anchor=[[0.6, 0.4], [0.4, 0.4]])
    there = composed(frame, layer, light)
    moved = composed(frame, layer, light, move=np.array([[1, 0, 32], [0, 1, 0], [0, 0, 1]]))
    assert there[130, 175, 0] < 90 < moved[130, 175, 0]


def test_lights_of_neighbours_are_averaged_in_the_place_of_one():
    bright, dark = (
        placed(np.full((40, 40, 3), value), anchor=[[0.6, 0.4], [0.4, 0.4]]) for value in (0.4, 0.0)
    )
    assert steadied([bright, dark], [1, 3], 0, SIZE).mean() == pytest.approx(0.1, abs=0.02)


def test_a_coarse_occlusion_ends_where_it_did(frame, layer):
    """Its cells are 40 pixels wide; half of one beside would be 20 pixels."""
    hidden = np.zeros((6, 8), np.uint8)
    hidden[:, :4] = 255
    webp = cv2.imencode(".webp", hidden, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    layer[60:200, 80:240, :3] = 100
    shown = composed(frame, layer, placed(np.zeros((40, 40, 3)), occlusion=webp))[130, :, 0].astype(int)
    assert abs(int(np.argmax(shown[82:238] >= 70)) + 82 - 160) <= 2
