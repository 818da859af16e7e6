"""All corrections of a tile's colour are made together, most of them at half the resolution."""

import numpy as np
import pytest

from fabric.even import evened
from fabric.light import Gain
from fabric.shadow import Shadow
from fabric.shrink import halved

SIDE = 256


def cloth() -> np.ndarray:
    grain = np.random.default_rng(3).uniform(0.3, 0.5, (SIDE, SIDE, 1))
    return grain.repeat(3, axis=2).astype(np.float32)


def gain(width: float) -> Gain:
    """Of a shadow that is half as bright; its edge is `width` of the side."""
    shadow = Shadow((np.cos(0.4), np.sin(0.4)), 0.05, width, np.log(np.full(3, 2.0)))
    return Gain(np.full((128, 128, 3), 1.25, np.float32), shadow, 1.0)


@pytest.mark.parametrize("width", [0.002, 0.05])
def test_a_shadow_leaves_no_line(width: float) -> None:
    """Half a pixel wide, and wider than at half the resolution matters."""
    light = gain(width)
    assert light.shadow is not None
    assert light.is_hard(SIDE) == (width < 0.01)
    shaded = cloth() * np.exp(light.shadow.darkness(SIDE, SIDE))
    np.testing.assert_allclose(evened(shaded, light), 1.25 * cloth(), rtol=0.01)


def test_the_halves_of_a_picture_are_those_of_its_maker() -> None:
    photo = cloth()
    assert np.array_equal(evened(photo, gain(0.05), 1.0), evened(photo, gain(0.05), 1.0, halved(photo)))
    assert evened(photo[:131, :97], gain(0.002), 1.0).shape == (131, 97, 3)
