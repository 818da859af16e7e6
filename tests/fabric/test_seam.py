import itertools

import numpy as np
import pytest

from benchmarks.fabric.materials import measured
from benchmarks.fabric.metrics import band_contrast, cut_step, wrap_ratio
from fabric.light import linear_to_srgb
from fabric.seam import boundary_cut, make_seamless, settle_border


def test_the_cut_is_the_cheapest_path() -> None:
    cost = np.random.default_rng(0).random((6, 4)).astype(np.float32)
    paths = [
        path
        for path in itertools.product(range(4), repeat=6)
        if all(abs(a - b) <= 1 for a, b in itertools.pairwise(path))
    ]
    best = min(paths, key=lambda path: sum(cost[row, column] for row, column in enumerate(path)))
    assert tuple(boundary_cut(cost)) == best


def test_a_closed_cut_meets_itself() -> None:
    cost = np.random.default_rng(3).random((64, 24)).astype(np.float32)
    path = boundary_cut(cost, closed=True)
    assert path[0] == path[-1]
    assert np.abs(np.diff(path)).max() <= 1


@pytest.mark.parametrize("name", ["fabric_weave", "felt", "leather"])
def test_a_tile_wraps_and_its_cut_hides(name: str) -> None:
    """Two-sided: a mirrored tile's border has no step at all, and a blurred band has no contrast."""
    photo = np.tile(measured(name).albedo, (2, 2, 1))[100:676, 50:626]
    tile, cut, _ = settle_border(*make_seamless(photo, 512))
    code = linear_to_srgb(tile)
    assert tile.shape == (512, 512, 3)
    assert 0.5 <= wrap_ratio(code) <= 1.25
    assert wrap_ratio(linear_to_srgb(photo[:512, :512])) > 1.3 or name == "fabric_weave"
    assert 0.05 <= cut_step(code, cut) <= 1.0
    assert 0.9 <= band_contrast(tile, cut, (256, 256)) <= 1.1


def test_the_measures_reject_a_mirrored_and_a_blurred_tile() -> None:
    quarter = measured("felt").albedo[:256, :256]
    half = np.hstack([quarter, quarter[:, ::-1]])
    mirrored = np.vstack([half, half[::-1]])
    assert wrap_ratio(linear_to_srgb(mirrored)) < 0.5
    cut = np.zeros((512, 512), bool)
    cut[:, 256] = True
    blurred = measured("felt").albedo[:512, :512].copy()
    blurred[:, 244:269] = blurred[:, 244:269].mean(axis=(0, 1))
    assert band_contrast(blurred, cut, (0, 128)) < 0.9


def test_a_motif_that_meets_nothing_is_cut_and_leaves_no_ghost() -> None:
    """Its difference from the other border was blended over the whole overlap, as if it were light."""
    photo = np.full((288, 288, 3), 0.6, np.float32)
    photo[60:140, 8:24] = 0.05  # lies in the first border alone
    tile, _ = make_seamless(photo, 256)
    between = (tile[..., 0] > 0.1) & (tile[..., 0] < 0.57)
    assert between.mean() < 0.01


def test_light_that_differs_at_the_border_is_blended() -> None:
    photo = np.full((288, 288, 3), 0.5, np.float32) * np.linspace(0.95, 1.05, 288, dtype=np.float32)[:, None]
    tile, _ = make_seamless(photo, 256)
    wrapped = np.concatenate([tile, tile[:1]])
    assert np.abs(np.diff(wrapped[..., 0], axis=0)).max() < 0.006
