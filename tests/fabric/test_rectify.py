import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import CLOTH, lights, measured, table_top, texture
from fabric import FabricError
from fabric.builtin import RECIPES
from fabric.light import linear_to_srgb
from fabric.rectify import find_outline, ordered
from fabric.view import flat_view, straighten
from fabric.weaves import Weave, weave_cloth

CORNERS = np.array([[330.0, 250], [1080, 190], [1150, 960], [280, 900]])
DENIM = Weave("denim", (9, 9), np.array([0.05, 0.1, 0.3]), np.array([0.5, 0.5, 0.55]))
TABLE = np.full((1200, 1400, 3), (168, 140, 105), np.uint8)


def test_a_swatch_s_corners_are_found_within_one_percent() -> None:
    photo = table_top(linear_to_srgb(weave_cloth(DENIM, 900, 1)), CORNERS, TABLE, (1200, 1400))
    outline = find_outline(photo)
    assert outline is not None
    assert np.linalg.norm(outline.corners - CORNERS, axis=1).max() < 0.01 * 650
    flat = straighten(photo, *flat_view(outline.corners, 1000))
    assert np.abs(flat[3:-3, 3:-3].reshape(-1, 3).mean(axis=0) - TABLE[0, 0]).max() > 30
    assert flat[:, :4].std() > 10  # cloth up to the border, no table


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("recipe", "tone"), [("leather-black", (70, 62, 58)), ("tweed-herringbone", (168, 140, 105))]
)
def test_a_swatch_that_hardly_differs_from_its_table(recipe: str, tone: tuple[int, int, int]) -> None:
    """Black on dark: a soft shadow's edge is as steep as the cloth's unless one looks closely. Herringbone:
    the table's colour lies between its two yarns'."""
    cloth = linear_to_srgb(RECIPES[recipe].make(1))
    outline = find_outline(table_top(cloth, CORNERS, np.full_like(TABLE, tone), (1200, 1400)))
    assert outline is not None
    assert np.linalg.norm(outline.corners - CORNERS, axis=1).max() < 0.01 * 650


def test_a_swatch_of_the_table_s_colour_differs_in_texture() -> None:
    rng = np.random.default_rng(3)
    grain = np.clip(168 + rng.normal(0, 9, (1200, 1400, 1)), 0, 255).repeat(3, axis=2)
    smooth = np.full((600, 600, 3), 163, np.uint8)
    outline = find_outline(table_top(smooth, CORNERS, grain, (1200, 1400)))
    assert outline is not None
    assert np.linalg.norm(outline.corners - CORNERS, axis=1).max() < 0.01 * 650


def printed(kind: str, ground: tuple[int, int, int]) -> np.ndarray:
    y, x = np.mgrid[:900, :900]
    ink = {
        "dots": np.hypot(x % 90 - 45, y % 90 - 45) < 20,
        "stripes": (x + 40) % 150 < 40,
        "checks": ((x + 40) % 120 < 25) | ((y + 60) % 120 < 25),
    }[kind]
    grain = np.random.default_rng(5).normal(0, 4, (900, 900, 1))
    return np.clip(np.where(ink[..., None], (60, 120, 90), ground) + grain, 0, 255).astype(np.uint8)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("ground", [(182, 156, 124), (176, 152, 118)])
@pytest.mark.parametrize("kind", ["dots", "stripes", "checks"])
def test_a_print_on_a_ground_like_the_table(kind: str, ground: tuple[int, int, int]) -> None:
    """The print varies more than cloth and wood differ: white with green dots on pale wood was not found."""
    grain = cv2.GaussianBlur(np.random.default_rng(4).normal(0, 1, (1200, 1400)), (0, 0), sigmaX=40, sigmaY=3)
    wood = np.clip(TABLE + 9 * (grain / grain.std())[..., None], 0, 255).astype(np.uint8)
    outline = find_outline(table_top(printed(kind, ground), CORNERS, wood, (1200, 1400)))
    assert outline is not None
    assert np.linalg.norm(outline.corners - CORNERS, axis=1).max() < 0.01 * 650


@pytest.mark.parametrize("kind", ["dots", "stripes", "checks"])
def test_a_print_that_fills_the_photo_has_no_outline(kind: str) -> None:
    assert find_outline(printed(kind, (182, 156, 124))) is None


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", CLOTH)
def test_cloth_that_fills_the_photo_has_no_outline(name: str) -> None:
    for light in lights(1024).values():
        assert find_outline(linear_to_srgb(measured(name).albedo * light)) is None


@pytest.mark.parametrize("name", ["brick", "grass", "gravel"])
def test_textures_have_no_outline(name: str) -> None:
    assert find_outline(texture(name)) is None


def test_corners_come_in_any_order() -> None:
    for order in ([2, 0, 3, 1], [3, 2, 1, 0], [1, 2, 3, 0]):
        np.testing.assert_array_equal(ordered(CORNERS[order]), CORNERS)


@pytest.mark.parametrize("points", [[[0, 0], [9, 0], [9, 9], [0, 9]], [[0, 0], [100, 0], [20, 20], [0, 100]]])
def test_corners_that_span_no_swatch_are_refused(points: list) -> None:
    with pytest.raises(FabricError, match="convex"):
        ordered(np.array(points, float))
