import numpy as np
import pytest

from benchmarks.baseline import fabric as baseline
from benchmarks.fabric.materials import measured
from benchmarks.fabric.metrics import angle, likeness
from fabric import relief
from fabric.light import linear_to_srgb
from fabric.material import FABRIC_CLASSES


def dome(side: int = 128) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : 1j * side, -1 : 1 : 1j * side]
    return (20 * np.sqrt(np.clip(1 - (x * x + y * y) / 0.5, 0, 1))).astype(np.float32)


def test_a_dome_is_lit_from_the_light_s_side() -> None:
    """Guards the sign of x, and of y: OpenGL's points up, the image's rows run down."""
    normal = relief.normal_map(dome())
    right, up = normal @ [0.7, 0, 0.7], normal @ [0, 0.7, 0.7]
    assert right[:, 64:].mean() > 1.2 * right[:, :64].mean()
    assert up[:64].mean() > 1.2 * up[64:].mean()


def test_a_ramp_has_the_slope_that_it_has() -> None:
    height = np.repeat(np.arange(32, dtype=np.float32)[None] * 0.5, 32, axis=0)
    dx, dy = relief.gradient(height)
    np.testing.assert_allclose(dx[:, 2:-2], 0.5, rtol=1e-5)
    np.testing.assert_allclose(dy, 0, atol=1e-5)


def test_normals_wrap() -> None:
    height = dome()
    rolled = relief.normal_map(np.roll(height, (40, 70), (0, 1)))
    np.testing.assert_allclose(rolled, np.roll(relief.normal_map(height), (40, 70), (0, 1)), atol=1e-5)
    occlusion = relief.occlusion_map(np.roll(height, (40, 70), (0, 1)))
    np.testing.assert_allclose(occlusion, np.roll(relief.occlusion_map(height), (40, 70), (0, 1)), atol=1e-4)


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["fabric_weave", "felt"])
def test_normals_come_nearer_to_the_measured_ones_than_sobel_s(name: str) -> None:
    """Also by correlation, since normals that all look up have a small angle too."""
    material = measured(name)
    sobel = baseline.normal_map(linear_to_srgb(material.albedo)[..., 1])[..., ::-1] / 127.5 - 1
    sobel /= np.linalg.norm(sobel, axis=2, keepdims=True)
    normal = relief.normal_map(relief.height_map(material.albedo, 0.25))
    assert angle(normal, material.normal) < min(
        angle(sobel, material.normal), angle(sobel * [1, -1, 1], material.normal)
    )
    assert likeness(normal, material.normal) > 0.4
    assert np.abs(np.linalg.norm(normal, axis=2) - 1).max() < 0.01
    assert 0.9 <= normal[..., 2].mean() <= 0.999


def test_occlusion_is_darkest_in_the_hollow_and_absent_on_a_plane() -> None:
    assert relief.occlusion_map(np.zeros((64, 64), np.float32)).min() == 1
    pit = relief.occlusion_map(-dome())
    assert pit[64, 30] < 0.9
    assert pit.max() == pytest.approx(1)


def test_each_strength_has_an_effect() -> None:
    albedo = measured("felt").albedo
    flat, one, two = (relief.height_map(albedo, 0.2, strength) for strength in (0, 1, 2))
    assert np.ptp(flat) == 0
    np.testing.assert_allclose(two, 2 * one, rtol=1e-4)
    assert relief.occlusion_map(one, 0).min() == 1
    assert relief.occlusion_map(one, 2).mean() < relief.occlusion_map(one, 1).mean() < 1
    assert np.ptp(relief.roughness_map(one, 0.8, 0)) == pytest.approx(0, abs=1e-6)
    assert relief.roughness_map(one, 0.8).mean() == pytest.approx(0.8, abs=0.005)
    assert relief.roughness_map(one, 0.8, 2).std() > relief.roughness_map(one, 0.8, 1).std() > 0.01


def test_leather_whose_dark_places_are_no_hollows_is_nearly_flat() -> None:
    """Of the benchmark's two leathers, one is dark in its creases and one on its tops."""
    leather, cloth = measured("leather"), FABRIC_CLASSES["leather"]
    height = relief.estimated_height(leather.albedo, cloth.slope, cloth.darkness)
    flat = np.dstack([*np.zeros((2, *height.shape)), np.ones(height.shape)])
    assert angle(relief.normal_map(height), leather.normal) < 1.001 * angle(flat, leather.normal)
