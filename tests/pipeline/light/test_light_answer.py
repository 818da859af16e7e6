import numpy as np
import pytest

from pipeline.garment.laying import Laying
from pipeline.garment.registration import Registration, fits, stretch
from pipeline.light.light_answer import describe, layer_matrix
from pipeline.light.session_light import View
from pipeline.recipe import Recipe

RECIPE = Recipe(
    scheduler="DDIMScheduler",
    steps=1,
    strength=1,
    guidance_scale=1,
    resolution=(256, 256),
    relight_sigma=3,
    detail_gain=1.15,
)
CANVAS, FRAME = (960, 540), (640, 480)


def laid(registration):
    return Laying(registration, "auto", CANVAS, FRAME).to_json()


def test_places_are_shares_of_the_frame():
    landmarks = np.zeros((33, 4), np.float32)
    landmarks[[11, 12]] = (0.7, 0.4, 0, 1), (0.3, 0.5, 0, 1)
    found = describe(View((), FRAME, (-64, 48, 640, 480), landmarks), RECIPE, "", None)
    assert found["crop"] == [-0.1, 0.1, 1, 1]
    assert np.allclose(found["anchor"], [[0.7, 0.4], [0.3, 0.5]], atol=1e-4)
    assert found["light_coding"] == {"range": 1.4, "floor": 0.04, "sigma": 0.011719, "detail_gain": 1.15}
    assert found["layer_matrix"] is None


def test_without_a_pose_there_is_no_anchor():
    assert describe(View((), FRAME, (0, 0, 9, 9), np.zeros((33, 4))), RECIPE, "", None)["anchor"] is None


def test_a_stretched_canvas_needs_no_matrix():
    assert layer_matrix(laid(stretch(CANVAS, FRAME))) is None


@pytest.mark.parametrize(
    "fit", [it for it in fits(CANVAS, FRAME) if it.fit != "stretch"], ids=lambda it: it.fit
)
def test_the_matrix_leads_from_the_frame_to_the_canvas(fit):
    matrix = np.array(layer_matrix(laid(fit))).reshape(2, 3)
    for pixel in ([0, 0], [959, 539], [400, 100]):
        on_frame = (fit.matrix @ (*pixel, 1) + 0.5) / FRAME
        assert np.allclose(matrix @ (*on_frame, 1), (np.array(pixel) + 0.5) / CANVAS, atol=1e-5)


def test_a_moved_canvas_has_the_move_in_its_matrix():
    moved = Registration("body", stretch(CANVAS, FRAME).matrix + np.array([[0, 0, 64], [0, 0, 0]]))
    assert np.allclose(layer_matrix(laid(moved)), [1, 0, -0.1, 0, 1, 0], atol=1e-5)
