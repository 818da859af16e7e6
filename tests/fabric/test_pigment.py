"""Print is no relief."""

import cv2
import numpy as np
import pytest

from fabric.pigment import without_print
from fabric.relief import gradient, height_map
from fabric.weaves import Weave, weave_cloth

COTTON = Weave("plain", (8, 8), np.array([0.5, 0.5, 0.45]), np.array([0.55, 0.55, 0.5]))
INK = {"black": (0.06, 0.06, 0.06), "red and dark": (0.6, 0.05, 0.06), "pale": (0.35, 0.35, 0.4)}


def cloth(size: int = 512) -> np.ndarray:
    return np.ascontiguousarray(weave_cloth(COTTON, size, 1), np.float32)


def motif(name: str, size: int = 512) -> np.ndarray:
    """Where the print is, 0 to 1; its edge is as soft as a camera shows it."""
    y, x = np.mgrid[:size, :size] % 128 - 64
    area = np.hypot(x, y) < 36 if name == "dots" else np.broadcast_to(abs(x) < 24, (size, size))
    return cv2.GaussianBlur(area.astype(np.float32), (0, 0), 1)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("shape", ["dots", "stripes"])
@pytest.mark.parametrize("ink", INK)
def test_the_edge_of_a_print_is_no_step(ink: str, shape: str) -> None:
    """It was six times as steep as the weave, and took the depth of the whole cloth for itself."""
    area = motif(shape)
    printed = cloth() * (1 + (np.array(INK[ink], np.float32) - 1) * area[..., None])
    slope = np.hypot(*gradient(height_map(printed.astype(np.float32), 0.25)))
    edge = (area > 0.05) & (area < 0.95)
    assert slope[edge].mean() < 2 * slope[area < 0.01].mean()
    plain = np.hypot(*gradient(height_map(cloth(), 0.25)))
    assert slope[area < 0.01].mean() > 0.7 * plain.mean()


def test_cloth_without_a_print_keeps_its_relief() -> None:
    linear = cloth()
    luminance = np.log(cv2.cvtColor(linear, cv2.COLOR_RGB2GRAY))
    assert without_print(linear, luminance) is luminance
