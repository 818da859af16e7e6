"""A cast shadow is light and no dye."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import measured
from benchmarks.fabric.metrics import delta_e
from fabric.even import evened
from fabric.light import _SURFACES, shadow_on_cloth, well_lit
from fabric.shadow import Shadow, find_shadows, seen_through
from fabric.shadow_fit import fit_shadow


def shaded(albedo: np.ndarray, angle: float, offset: float, left: float, blur: float) -> np.ndarray:
    side = len(albedo)
    y, x = (np.mgrid[:side, :side].astype(np.float32) + 0.5) / side - 0.5
    across = (x * np.cos(angle) + y * np.sin(angle) - offset) / blur
    light = left + (1 - left) / (1 + np.exp(np.clip(-across, -40, 40)))
    photo: np.ndarray = albedo * light[..., None]
    return photo


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("angle", "offset"), [(0.3, 0.1), (2.0, -0.15), (-1.2, 0.0), (3.1, 0.05)])
@pytest.mark.parametrize("blur", [0.003, 0.02])
def test_the_albedo_is_that_of_the_lit_part(angle: float, offset: float, blur: float) -> None:
    """White cloth came out grey, with ripples along the shadow's edge."""
    truth = np.ascontiguousarray(measured("felt").albedo[:512, :512])
    photo = shaded(truth, angle, offset, 0.4, blur)
    found = evened(photo, well_lit(photo, 0.08))
    assert delta_e(found, truth) < 1.6
    assert found.mean() == pytest.approx(truth.mean(), rel=0.03)


def test_the_line_is_found_where_it_is() -> None:
    photo = shaded(np.full((300, 300, 3), 0.5, np.float32), 0.5, 0.1, 0.3, 0.01)
    shadow = shadow_on_cloth(photo)
    assert shadow is not None
    assert np.arctan2(shadow.normal[1], shadow.normal[0]) == pytest.approx(0.5, abs=0.02)
    assert shadow.offset == pytest.approx(0.1, abs=0.005)
    assert shadow.depth == pytest.approx(np.log(1 / 0.3), abs=0.08)


def test_even_cloth_and_the_edge_of_a_print_are_no_shadow() -> None:
    felt = np.ascontiguousarray(measured("felt").albedo[:512, :512])
    assert shadow_on_cloth(felt) is None
    red = felt.copy()
    red[:, 256:] *= np.array([0.9, 0.3, 0.3], np.float32)
    assert shadow_on_cloth(red) is None
    stripes = felt * (1 - 0.5 * (np.arange(512) // 64 % 2))[None, :, None].astype(np.float32)
    assert shadow_on_cloth(stripes) is None


def test_a_side_that_ends_in_the_picture_is_no_shadow() -> None:
    table = np.full((300, 400, 3), 0.6, np.float32)
    cv2.rectangle(table, (90, 60), (300, 240), (0.2, 0.2, 0.2), -1)
    assert list(find_shadows(table)) == []


@pytest.mark.parametrize("degrees", [0, 37, 118, 200, 310])
def test_the_edge_of_one_even_cloth_lies_where_it_is(degrees: float) -> None:
    """It lay half a pixel of the coarse grid beside: a bright line through the scanned cloth."""
    x, y = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    truth = Shadow((float(x), float(y)), 0.07, 0.011, np.full(3, 0.8, np.float32))
    found = fit_shadow(truth.darkness(128, 128) + np.float32(np.log(0.5)), _SURFACES)
    assert found is not None
    assert np.hypot(found.normal[0] - x, found.normal[1] - y) < 0.01
    assert found.offset == pytest.approx(0.07, abs=0.002)
    assert found.width == pytest.approx(0.011, abs=0.002)
    assert found.depth == pytest.approx(truth.depth, rel=0.03)


def test_a_shadow_lies_on_a_part_of_the_picture_where_it_lies_on_the_whole() -> None:
    whole = Shadow((0.8, 0.6), 0.05, 0.02, np.full(3, 0.8, np.float32))
    turn, scale = np.radians(12), 1.7
    matrix = np.array(
        [
            [scale * np.cos(turn), -scale * np.sin(turn), 160.0],
            [scale * np.sin(turn), scale * np.cos(turn), 40.0],
            [0, 0, 1],
        ]
    )
    darkness = whole.darkness(500, 700)
    expected = cv2.warpPerspective(
        darkness, matrix, (200, 200), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    part = seen_through(whole, matrix, (700, 500), 200)
    np.testing.assert_allclose(part.darkness(200, 200), expected, atol=0.01)


def test_where_a_shadow_was_seen_no_other_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = Shadow((0.6, 0.8), 0.07, 0.011, np.full(3, 0.8, np.float32))
    log = truth.darkness(128, 128) + np.float32(np.log(0.5))

    def look(linear: np.ndarray) -> Iterator[Shadow]:
        yield pytest.fail("it was looked for")

    monkeypatch.setattr("fabric.shadow_fit.find_shadows", look)
    found = fit_shadow(log, _SURFACES, Shadow((0.62, 0.78), 0.06, 0.02, truth.depth))
    assert found is not None
    assert found.offset == pytest.approx(0.07, abs=0.003)
