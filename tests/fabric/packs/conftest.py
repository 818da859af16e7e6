"""A small fabric, and packs of it, for the tests of every format."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import jpeg
from fabric import EncodedImage, ScanOptions, scan
from fabric.packs import PackedFabric
from fabric.weaves import Weave, weave_cloth

Change = Callable[..., PackedFabric]


@pytest.fixture(scope="session")
def twill() -> PackedFabric:
    """With everything that a material may have."""
    weave = Weave("twill", (8, 8), np.array([0.3, 0.1, 0.1]), np.array([0.4, 0.2, 0.1]))
    made = scan(
        jpeg(weave_cloth(weave, 400, 1)), ScanOptions(size=256, fabric_class="silk", physical_width_mm=80)
    )
    finish = {**made.material, "clearcoat": 0.3, "clearcoatRoughness": 0.2, "anisotropy": 0.5}
    width = made.quality["tile_width_mm"]
    return PackedFabric(
        "red-twill", 'Red "twill"\n№ 1', made.maps, made.roughness, 0.0, finish, 1.0, width, "CC0-1.0",
        {"fibre": "silk"},
    )  # fmt: skip


@pytest.fixture
def changed(twill: PackedFabric) -> Change:
    """`twill` with other fields."""

    def make(**fields: object) -> PackedFabric:
        return replace(twill, **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def lace(twill: PackedFabric) -> PackedFabric:
    """`twill` with round holes."""
    alpha = np.full((256, 256), 255, np.uint8)
    for x, y in np.ndindex(4, 4):
        cv2.circle(alpha, (32 + 64 * x, 32 + 64 * y), 18, 0, -1)
    holes = EncodedImage(cv2.imencode(".png", alpha)[1].tobytes(), "image/png")
    return replace(twill, maps={**twill.maps, "alpha": holes}, material={**twill.material, "alphaTest": 0.4})
