import numpy as np
import pytest

from tests.training.photographs.recorded import sky
from training.photographs.lights import (
    HARD,
    SOFT,
    Environment,
    Lights,
    direction,
    lookup,
    sample_lights,
    sphere,
    turn,
)


@pytest.fixture
def lights():
    return sample_lights(np.random.default_rng(3))


def irradiance(weights, lights, normal):
    """RGB that falls on a surface."""
    facing = np.maximum(lights.towards @ normal, 0) * lights.irradiance
    return facing @ weights


def test_an_even_sky_lights_every_side_alike(lights):
    weights = Environment.of_picture(np.ones((64, 128, 3), np.float32)).weights(lights, 1.0)
    assert not weights[lights.hard].any()
    for normal in ([1, 0, 0], [0, -1, 0], [0, 0, 1], [0.6, 0, -0.8]):
        assert irradiance(weights, lights, np.array(normal)) == pytest.approx(np.pi, rel=0.1)


def test_energy_is_kept_for_every_rotation(lights):
    environment = Environment.of_picture(sky())
    totals = [
        (environment.weights(lights, angle) * lights.irradiance[:, None]).sum() for angle in (0.0, 2.0, 4.0)
    ]
    assert totals == pytest.approx([totals[0]] * 3, rel=0.02)


def test_a_sun_that_meets_a_hard_light_is_hard(lights):
    environment = Environment.of_picture(sky())
    (sun,) = environment.suns
    assert sun.irradiance[0] > sun.irradiance[2]
    wanted = lights.towards[SOFT]
    rotation = np.arctan2(wanted[1], wanted[0]) - np.arctan2(sun.towards[1], sun.towards[0])
    near = lights.towards[lights.hard] @ turn(rotation) @ sun.towards
    weights = environment.weights(lights, rotation)
    if near.max() > np.cos(np.radians(28)):
        assert weights[lights.hard].sum() > 0
    assert Environment.of_picture(sky(sun=False)).weights(lights, rotation)[lights.hard].sum() == 0


def test_a_sun_that_lost_red_and_green_becomes_warm():
    picture = sky(sun=False)
    picture[20, 30] = (0, 0, 9000)
    (sun,) = Environment.of_picture(picture).natural.suns
    assert sun.irradiance[0] > sun.irradiance[2] > 0


def test_a_pixels_direction_leads_back_to_it():
    towards, area = sphere(32, 64)
    x, y = lookup(towards, 32, 64)
    assert np.allclose(x[5:-5], np.arange(64)[None], atol=1e-3)
    assert np.allclose(y, np.arange(32)[:, None], atol=1e-3)
    assert area.sum() == pytest.approx(4 * np.pi, rel=1e-3)


def test_meta_keeps_the_lights(lights):
    again = Lights.of_meta(lights.as_meta())
    assert np.allclose(again.towards, lights.towards, atol=1e-4)
    assert (again.hard == lights.hard).all()
    assert len(again.hard) == SOFT + HARD


def test_the_front_is_where_the_person_looks():
    assert direction(0, 0) == pytest.approx([0, -1, 0])
    assert direction(np.pi / 2, 0)[0] == pytest.approx(1)  # the person's left
