import numpy as np
import pytest

from fabric.shrink import shrink


@pytest.mark.parametrize("size", [(64, 48), (100, 75), (333, 250), (400, 300), (512, 384)])
def test_every_pixel_counts_and_nothing_moves(size: tuple[int, int]) -> None:
    """A checkerboard of single pixels becomes grey, and a ramp stays where it is."""
    y, x = np.mgrid[:600, :800]
    board = (255 * ((x + y) % 2)).astype(np.uint8)
    ramp = (x / 4).astype(np.uint8)
    width, height = size
    small = shrink(ramp, width, height)
    assert small.shape == (height, width)
    wanted = (np.arange(width) + 0.5) * (800 / width) / 4 - 0.5
    np.testing.assert_allclose(small[height // 2], wanted, atol=1.5)
    if width <= 400:
        np.testing.assert_allclose(shrink(board, width, height), 127.5, atol=1.5)
