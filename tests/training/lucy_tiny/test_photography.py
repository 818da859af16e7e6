from dataclasses import replace

import numpy as np

from training.lucy_tiny.gbuffer import GBuffer
from training.lucy_tiny.photography import (
    cast_shadow,
    occlusion,
    sample_camera,
    sample_light,
    shade,
    to_linear,
    to_srgb,
)

LIGHT = replace(
    sample_light(np.random.default_rng(0)),
    towards=np.array([-0.7, 0, 0.714], np.float32), softness=0.02, key=1.0, ambient=0.2,
)  # fmt: skip


def test_srgb_survives_a_round_trip():
    every = np.arange(256, dtype=np.uint8)
    assert (to_srgb(to_linear(every)) == every).mean() > 0.95
    assert (np.abs(to_srgb(to_linear(every)).astype(int) - every) <= 1).all()


def test_a_shadow_falls_away_from_the_light():
    height = np.zeros((128, 128), np.float32)
    height[:, 40:50] = 30
    reached = cast_shadow(height, LIGHT, unit=100)
    assert reached[64, 60] < 0.3  # right of the wall, the light on the left
    assert reached[64, 25] > 0.9
    assert reached[64, 45] > 0.7  # on the wall


def test_a_hollow_is_darker_than_a_plain():
    height = np.zeros((128, 128), np.float32)
    height[60:68, 60:68] = -25
    light = occlusion(height, unit=100)
    assert light[64, 64] < light[20, 20]


def test_the_side_towards_the_light_is_brighter():
    buffer = GBuffer((64, 64))
    buffer.albedo[:] = 0.5
    x = np.linspace(-1, 1, 64, dtype=np.float32)
    buffer.normal[0], buffer.normal[2] = x, np.sqrt(1 - x**2)
    buffer.height[:] = 0
    radiance = shade(buffer, LIGHT, unit=100)
    assert radiance[32, 8].mean() > 2 * radiance[32, 56].mean()


def test_the_caption_says_what_the_light_is():
    """A wrong word would teach the model the opposite."""
    for seed in range(60):
        light = sample_light(np.random.default_rng(seed))
        words = light.phrase(exposure=1.0).split()  # "bright" is not "right"
        if "left" in words:
            assert light.towards[0] < -0.2
        if "right" in words:
            assert light.towards[0] > 0.2
        if "warm" in words:
            assert light.tint[0] > light.tint[2]
        if "cool" in words:
            assert light.tint[0] < light.tint[2]


def test_a_camera_repeats_itself():
    camera = sample_camera(np.random.default_rng(0))
    radiance = np.full((32, 32, 3), 0.3, np.float32)
    first, again = (camera.develop(radiance, np.ones(3, np.float32)) for _ in range(2))
    assert (first == again).all()
    assert first.std() > 0
