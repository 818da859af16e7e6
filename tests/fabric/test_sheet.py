import numpy as np

from fabric.sheet import CELL, light_plane

FLAT = {
    "diffuse": np.full((64, 64, 3), 120, np.uint8),
    "normal": np.full((64, 64, 3), (128, 128, 255), np.uint8),
    "roughness_map": np.full((64, 64), 255, np.uint8),
    "ao": np.full((64, 64), 255, np.uint8),
}


def test_the_cloth_is_brightest_below_its_lamp() -> None:
    """A lamp far away lights a plane evenly: three pictures of it were all alike."""
    plane = light_plane(FLAT, 0.8, (0.7, -0.5))[..., 1].astype(int)
    assert plane.shape == (2 * CELL, 2 * CELL)
    below, opposite = plane[int(1.5 * CELL), int(1.7 * CELL)], plane[int(0.5 * CELL), int(0.3 * CELL)]
    assert below == plane.max()
    assert below > 1.3 * opposite
