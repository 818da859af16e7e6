import numpy as np
import pytest

from families.catvton.garment import fitted
from tests.families.catvton.vectors import RESOLUTION, load, picture


def test_the_garment_lies_on_white_as_upstream_lays_it():
    expected = load("preprocess")["condition_image"]
    found = fitted(picture("inputs/cloth.png"), RESOLUTION)
    assert found.flags.c_contiguous
    assert np.abs(found[0].transpose(1, 2, 0) - (expected / np.float32(127.5) - 1)).max() < 1e-6


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (256, 192), (300, 100)])
def test_every_size_fits(size):
    found = fitted(np.zeros((*size, 3), np.uint8), RESOLUTION)
    assert found.shape == (1, 3, *RESOLUTION)
    assert found.min() < -0.9
    height, width = RESOLUTION
    filled = (found[0, 0] < 0).any(1).sum(), (found[0, 0] < 0).any(0).sum()
    assert filled[0] == height or filled[1] == width
