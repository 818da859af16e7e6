import numpy as np
import pytest

from training.lucy_tiny.scenes import make_scene


@pytest.fixture(scope="module")
def scenes():
    return [make_scene(seed, 128) for seed in range(6)]


def test_outside_the_mask_nothing_changes(scenes):
    """The answer keeps the camera's pixels there; a target that does not would teach the model to paint."""
    for scene in scenes:
        outside = scene.mask == 0
        assert outside.any()
        assert (scene.target[outside] == scene.frame[outside]).all()
        assert (scene.composite[outside] == scene.frame[outside]).all()


def test_inside_the_mask_the_light_changes(scenes):
    for scene in scenes:
        inside = scene.mask == 255
        assert inside.mean() > 0.05
        difference = scene.target[inside].astype(int) - scene.composite[inside]
        assert np.abs(difference).mean() > 3


def test_a_seed_is_a_scene(scenes):
    again = make_scene(0, 128)
    assert (again.target == scenes[0].target).all()
    assert again.caption == scenes[0].caption
    assert (scenes[1].frame != scenes[0].frame).any()


def test_the_shifted_set_is_another(scenes):
    assert (make_scene(0, 128, shifted=True).target != scenes[0].target).any()


def test_the_caption_names_fabric_colour_and_light(scenes):
    for scene in scenes:
        assert scene.fabric in scene.caption
        assert scene.colour in scene.caption
        assert scene.light in scene.caption
