"""Normals that come nearer to the true ones than a flat map's."""

import cv2
import numpy as np
import pytest

from benchmarks.fabric.metrics import angle
from benchmarks.fabric.procedural import make_surface
from fabric import relief
from fabric.shading import height_from_shading


def lit(kind: str, azimuth: float) -> tuple[np.ndarray, np.ndarray]:
    """A surface under a lamp at 50°, and its true normals."""
    surface = make_surface(kind, 5, 512)
    light = np.array([0.64 * np.cos(azimuth), 0.64 * np.sin(azimuth), 0.77])
    shading = np.clip(surface.normal @ light, 0, None) / light[2]
    return (surface.albedo * (0.3 + 0.7 * shading[..., None])).astype(np.float32), surface.normal


@pytest.mark.parametrize("azimuth", [0.4, 2.2, 4.0])
@pytest.mark.parametrize("kind", ["plain", "ribs", "basket"])
def test_the_shading_of_threads_beats_a_flat_map(kind: str, azimuth: float) -> None:
    """Whatever side the light came from. Dark was deep, and normals worse than none."""
    photo, truth = lit(kind, azimuth)
    flat = np.broadcast_to(np.array([0.0, 0, 1]), truth.shape)
    found = relief.normal_map(relief.estimated_height(photo, 0.25, 0.04))
    assert angle(found, truth) < 1.01 * angle(flat, truth)


def test_a_photo_without_shading_says_so() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (256, 256)).astype(np.float32)
    height, confidence = height_from_shading(cv2.GaussianBlur(noise, (0, 0), 2))
    assert height.shape == (256, 256)
    assert confidence == 0


def test_strength_scales_the_height() -> None:
    photo, _ = lit("ribs", 0.4)
    one, two = (relief.estimated_height(photo, 0.3, 0.04, strength) for strength in (1.0, 2.0))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-3, atol=1e-4)
    assert np.ptp(relief.estimated_height(photo, 0.3, 0.04, 0)) == 0
