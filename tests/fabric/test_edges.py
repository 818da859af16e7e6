import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import table_top
from fabric.edges import bordered, is_of_print, shadow_along, snapped, straightest, widened
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


def checked() -> np.ndarray:
    """White cloth with green lines on a table that is hardly darker."""
    y, x = np.mgrid[:900, :900]
    lines = ((x + 60) % 100 < 12) | ((y + 60) % 100 < 12)
    cloth = np.where(lines[..., None], (60, 140, 80), (196, 196, 196)).astype(np.uint8)
    return table_top(cloth, CORNERS, table((180, 178, 172)), SIZE)


def inside(share: float) -> np.ndarray:
    """Corners that lie within those of the cloth by a share of its sides, where the print has a line."""
    matrix = cv2.getPerspectiveTransform(
        np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32), CORNERS.astype(np.float32)
    )
    near, far = share, 1 - share
    unit = np.array([[[near, near], [far, near], [far, far], [near, far]]], np.float64)
    return cv2.perspectiveTransform(unit, matrix)[0]


def test_a_faint_edge_borders_the_cloth_and_a_strong_line_of_the_print_does_not() -> None:
    assert bordered(checked(), CORNERS) > 0.9
    assert bordered(checked(), inside(0.35)) < 0.5  # in plain cloth
    assert bordered(checked(), inside(352 / 900)) == 0  # on lines that go on


def test_a_side_on_a_line_of_the_print_moves_to_the_end_of_the_cloth() -> None:
    found = snapped(checked(), widened(checked(), inside(46 / 900)), 0.01)
    assert found is not None
    assert np.linalg.norm(found - CORNERS, axis=1).max() < 1.5


def test_a_table_s_line_beside_the_cloth_is_none_of_its_sides() -> None:
    boards = table((60, 60, 60))
    cv2.line(boards, (1101, 0), (1210, 1199), (20, 20, 20), 4)
    photo = table_top(np.full((900, 900, 3), 190, np.uint8), CORNERS, boards, SIZE)
    np.testing.assert_array_equal(widened(photo, CORNERS), CORNERS)


def test_a_check_s_square_is_no_swatch() -> None:
    """The red square of a turned plaid that fills the photo was taken for the cloth, with full confidence."""
    y, x = np.mgrid[:600, :800].astype(np.float64)
    along, aside = (x - 400) * 0.94 + (y - 300) * 0.34, (y - 300) * 0.94 - (x - 400) * 0.34
    inside = [np.abs(place) < 110 for place in (along, aside)]
    plaid = np.where((inside[0] & inside[1])[..., None], (150, 30, 40), (40, 60, 90))
    plaid = np.where((inside[0] ^ inside[1])[..., None], (95, 45, 65), plaid).astype(np.uint8)
    swatch = np.where((inside[0] & inside[1])[..., None], (150, 30, 40), (200, 190, 180)).astype(np.uint8)
    square = np.array([[-110, -110], [110, -110], [110, 110], [-110, 110]])
    corners = square @ np.array([[0.94, 0.34], [-0.34, 0.94]]) + [400, 300]
    assert is_of_print(plaid, corners)
    assert not is_of_print(swatch, corners)
