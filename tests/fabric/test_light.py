import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import lights, measured
from benchmarks.fabric.metrics import contrast_ratio, delta_e
from fabric.even import evened
from fabric.light import contrast_gain, flatness, flatten, linear_to_srgb, srgb_to_linear, well_lit


@pytest.mark.sampled(3)
def flat(photo: np.ndarray, strength: float = 1.0) -> np.ndarray:
    return evened(photo, flatten(photo, 0.08, strength))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ["fabric_weave", "felt"])
@pytest.mark.parametrize("field", ["even", "side", "vignette", "lamp", "shadow"])
def test_uneven_light_leaves_the_true_albedo(name: str, field: str) -> None:
    truth = measured(name).albedo
    photo = srgb_to_linear(linear_to_srgb(truth * lights(len(truth))[field]))
    albedo = evened(photo, flatten(photo, 0.08), contrast=1.0)
    assert delta_e(albedo, truth) <= 1.0
    assert 0.95 <= contrast_ratio(albedo, truth) <= 1.05
    assert flatness(albedo) <= 0.05


def test_a_light_s_changing_colour_is_taken_out() -> None:
    truth = measured("felt").albedo
    warm = np.linspace(0.8, 1.25, 1024, dtype=np.float32)[None, :, None] ** np.float32([1, 0, -1])
    assert delta_e(truth * warm, truth) > 4
    assert delta_e(flat(truth * warm), truth) <= 1.0


def test_each_strength_has_an_effect() -> None:
    photo = measured("felt").albedo * lights(1024)["side"]
    np.testing.assert_allclose(contrast_gain(photo, 0), 1, rtol=1e-5)
    np.testing.assert_allclose(flatten(photo, 0.08, 0).of(64, 64), 1, rtol=1e-5)
    half, whole = flatness(flat(photo, 0.5)), flatness(flat(photo, 1))
    assert flatness(photo) > 1.5 * half > 2 * whole
    most, some = (contrast_ratio(evened(photo, contrast=strength), photo) for strength in (2, 1))
    assert most > some > 1


def test_srgb_and_back() -> None:
    codes = np.arange(256, dtype=np.uint8)
    assert np.array_equal(linear_to_srgb(srgb_to_linear(codes)), codes)


def test_a_check_that_repeats_often_gets_no_light_of_its_own() -> None:
    """Its many steps were all taken for a print's: what was left of them became a slope across the tile."""
    side, repeats = 512, 8.2
    y, x = np.mgrid[:side, :side] / side
    across, down = (np.sin(2 * np.pi * repeats * at) > 0 for at in (x, y))
    on_top = np.indices((side, side)).sum(axis=0) // 4 % 2 > 0  # of both threads
    inked = np.where(on_top, across, down)[..., None]
    yarns = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(side, side)), (0, 0), 1.5)
    light = np.exp(0.6 * yarns - 0.2 * (x - 0.3) ** 2)[..., None]
    check = np.where(inked, [0.02, 0.06, 0.3], [0.8, 0.79, 0.76]) * light
    photo = srgb_to_linear(linear_to_srgb(check.clip(0, 1).astype(np.float32)))
    slow = np.log(well_lit(photo, 0.08, cycles=(repeats, repeats)).slow)
    assert slow.max() - slow.min() < 0.2
