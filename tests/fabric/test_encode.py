"""A JPEG's own steps stay below those of the cloth."""

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from fabric.encode import encode


def test_faint_cloth_has_a_finer_jpeg() -> None:
    """Its border showed as a step of 1.4 times the cloth's own: so large were JPEG's errors."""
    noise = np.random.default_rng(4).normal(0, 1, (512, 512, 1)).repeat(3, axis=2)
    fine = gaussian_filter(noise, (2.5, 2.5, 0), mode="wrap")
    for depth in (1.6, 12.0):
        tile = np.clip(60 + depth * fine / fine.std(), 0, 255).round().astype(np.uint8)
        data = encode("diffuse", tile, "jpeg").data
        found = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        step = np.abs(np.diff(tile.astype(np.float32), axis=0)).mean()
        assert np.abs(found.astype(np.float32) - tile).mean() < 0.25 * step
