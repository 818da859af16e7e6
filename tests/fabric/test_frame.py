"""A tile's pixels come from where its frame lies in the photo, however many of the photo's fall on one."""

import numpy as np
import pytest

from fabric.frame import OVERLAP, Frame, cut_out, tile_matrix

SIZE = 256
WIDE = SIZE + int(SIZE * OVERLAP)


def frame(scale: float, angle: float = 0.1) -> Frame:
    """Of `scale` of the photo's pixels for each one of the tile."""
    side = SIZE * scale * np.array([np.cos(angle), np.sin(angle)])
    return Frame(np.array([150.0, 40.0]), side, np.array([-side[1], side[0]]))


@pytest.mark.parametrize("tilt", [0.0, 2e-5])
@pytest.mark.parametrize("scale", [0.7, 0.95, 1.0, 1.1, 1.24, 1.4, 2.0, 3.5])
def test_where_pixels_come_from(scale: float, tilt: float) -> None:
    """Waves tell the place; several ways of sampling must not shift it."""
    last = int(200 + 1.2 * WIDE * scale)
    turn = 2 * np.pi / (40 * scale)

    def waves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 128 + 50 * np.dstack([np.sin(turn * x), np.sin(turn * y), np.cos(turn * (x + y))])

    y, x = np.mgrid[: last + 1, : last + 1]
    view = np.array([[1, 0, 0], [0, 1, 0], [tilt, -tilt, 1]])
    seen = cut_out(np.round(waves(x, y)).astype(np.uint8), frame(scale), SIZE, view)
    row, column = np.mgrid[:WIDE, :WIDE]
    places = np.stack([column, row, np.ones_like(row)], axis=-1) @ tile_matrix(frame(scale), SIZE, view).T
    true = waves(places[..., 0] / places[..., 2], places[..., 1] / places[..., 2])
    np.testing.assert_allclose(seen.astype(float), true, atol=2.2)  # 0.3 pixels of the tile


def test_the_photo_s_border_may_be_near() -> None:
    photo = np.random.default_rng(1).integers(0, 255, (400, 400, 3)).astype(np.uint8)
    whole = Frame(np.array([2.0, 2.0]), np.array([350.0, 0]), np.array([0.0, 350]))
    seen = cut_out(photo, whole, 320)
    assert seen.shape == (360, 360, 3)
    assert np.abs(seen.mean() - photo.mean()) < 2
