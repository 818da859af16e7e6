"""The light of a scene on the render."""

import numpy as np
import pytest

from pipeline.light.relighting import FLOOR, scene_ratio
from pipeline.light.scene_light import on_code_values, over_crop, to_code, to_linear


def test_code_values_and_linear_values_are_inverse():
    code = np.linspace(0, 1, 200, dtype=np.float32)[None]
    np.testing.assert_allclose(to_code(to_linear(code)), code, atol=2e-4)
    assert to_code(np.full((1, 1), 4, np.float32))[0, 0] == pytest.approx(1), "white is the brightest"


def test_the_renders_own_light_changes_nothing():
    mean = np.random.default_rng(1).uniform(0.05, 0.9, (32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(on_code_values(np.zeros((8, 8, 3), np.float32), mean, FLOOR), 0, atol=2e-3)


def test_half_the_light_gives_half_the_linear_values():
    mean = np.full((16, 16, 3), 0.5, np.float32)
    ratio = on_code_values(np.full((8, 8, 3), np.log(0.5), np.float32), mean, FLOOR)
    lit = mean + (mean + FLOOR) * (np.exp(ratio) - 1)
    np.testing.assert_allclose(to_linear(lit), to_linear(mean) / 2, rtol=5e-3)


def test_a_light_of_the_window_lies_at_its_place_over_the_crop():
    """The crop is the window's right lower quarter, so its left upper corner is the window's middle."""
    ramp = np.broadcast_to(np.arange(48, dtype=np.float32), (3, 48, 48)).copy()
    ramp[0] = 7  # red
    light = over_crop(ramp, np.array([100, 50, 96, 96]), np.array([148, 98, 48, 48]))
    assert light.shape == (64, 64, 3)
    np.testing.assert_allclose(light[..., 2], 7, err_msg="blue, green, red")
    assert light[10, 0, 0] == pytest.approx(24, abs=0.5)
    assert light[10, 63, 0] == pytest.approx(47, abs=0.5)
    assert np.ptp(light[:, 5, 0]) == 0, "it changes from left to right alone"


def test_beyond_the_window_the_light_of_its_edge_goes_on():
    light = over_crop(
        np.full((3, 48, 48), 0.7, np.float32), np.array([0, 0, 50, 50]), np.array([-50, 0, 200, 100])
    )
    assert light.shape == (32, 64, 3)
    np.testing.assert_allclose(light, 0.7, atol=1e-6)


def test_a_share_of_the_pictures_shading_is_added_but_not_its_level():
    composite, mask = np.full((64, 64, 3), 120, np.uint8), np.ones((64, 64), np.float32)
    picture = np.linspace(-0.2, 0.8, 64, dtype=np.float32)[None, :, None] * np.ones((64, 1, 3), np.float32)
    none = np.zeros((8, 8, 3), np.float32)
    without, half = (scene_ratio(none, picture, composite, mask, 3.0, share) for share in (0, 0.5))
    np.testing.assert_allclose(without, 0, atol=5e-3)
    assert half.mean() == pytest.approx(0, abs=5e-3)
    assert half[32, 63, 0] - half[32, 0, 0] == pytest.approx(0.5, abs=0.01)
