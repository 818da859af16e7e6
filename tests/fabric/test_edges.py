import numpy as np
import pytest

from benchmarks.fabric.materials import table_top
from fabric.edges import shadow_along, snapped, straightest
from fabric.shadow import Shadow

CORNERS = np.array([[330.0, 250], [1080, 190], [1150, 960], [280, 900]])
SIZE = (1200, 1400)


def table(tone: tuple[int, int, int]) -> np.ndarray:
    return np.full((*SIZE, 3), tone, np.uint8)


def test_a_row_of_dots_is_not_the_swatch_s_side() -> None:
    """Dark dots on white cloth are a stronger edge than white cloth on pale wood, but not all along."""
    columns = np.arange(150)
    end = 40 + np.linspace(-4, 4, 32)
    profile = 2 * np.exp(-(((columns - end[:, None]) / 3) ** 2))
    profile[::3] += 12 * np.exp(-(((columns - 100) / 3) ** 2))
    assert profile.mean(axis=0).argmax() == 100
    np.testing.assert_allclose(straightest(profile), end, atol=2)


def test_a_side_is_found_to_a_fraction_of_a_pixel() -> None:
    photo = table_top(np.full((900, 900, 3), 190, np.uint8), CORNERS, table((60, 60, 60)), SIZE)
    found = snapped(photo, CORNERS + np.array([[1.5, 1], [-1, 2], [-2, -1], [1, -2]]), 0.01)
    assert found is not None
    assert np.linalg.norm(found - CORNERS, axis=1).max() < 0.6


def test_a_shadow_s_edge_goes_on_beyond_the_swatch_and_its_own_side_does_not() -> None:
    cloth = table_top(np.full((600, 600, 3), 190, np.uint8), CORNERS, table((60, 60, 60)), SIZE)
    y, x = np.mgrid[:1200, :1400]
    lit = 0.3 + 0.7 / (1 + np.exp((y - 600 + 0.1 * (x - 700)) / 8))
    light = (cloth / 255.0) ** 2.2 * lit[..., None]
    log = np.dstack([np.log(np.maximum(light, 1e-3)), np.ones(SIZE)]).astype(np.float32)
    edge = np.array([[305.0, 639.5], [1115, 558.5]])
    shadow = shadow_along(log, edge[1], edge[0])
    assert shadow is not None
    assert shadow.depth.mean() == pytest.approx(np.log(1 / 0.3), abs=0.1)
    expected = Shadow((-0.0995, -0.995), 0.0, 8 / 1400, shadow.depth).darkness(*SIZE)
    np.testing.assert_allclose(shadow.darkness(*SIZE)[::9, ::9], expected[::9, ::9], atol=0.35)
    assert np.abs(shadow.darkness(*SIZE) - expected).mean() < 0.02
    sides = zip(CORNERS, np.roll(CORNERS, -1, axis=0), strict=True)
    assert not any(shadow_along(log, start, end) for start, end in sides)
