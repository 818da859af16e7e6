"""What differs from the table along a photo's border."""

import numpy as np

from fabric.ground import border, difference, texture, whitened


def on_table(swatch: tuple[float, float, float]) -> np.ndarray:
    """A swatch of one colour on wood, which varies in its first channel alone."""
    wood = np.zeros((120, 160, 3), np.float32)
    wood[..., 0] = np.random.default_rng(1).normal(100, 10, (120, 160))
    wood[30:90, 40:120] = swatch
    return wood


def test_the_border_is_that_of_all_four_sides() -> None:
    assert border(np.arange(12 * 20.0).reshape(12, 20)).shape == (2 * 3 * (12 + 20),)


def test_what_the_table_s_own_variation_explains_counts_less() -> None:
    lighter, redder = on_table((125, 0, 0)), on_table((100, 25, 0))
    for field in (lighter, redder):
        assert 20 < np.median(difference(field)[30:90, 40:120]) < 30
    far = [
        np.abs(np.median(whitened(field)[30:90, 40:120], axis=(0, 1))).max() for field in (lighter, redder)
    ]
    assert far[0] < 4 < 15 < far[1]


def test_texture_is_relative_to_the_brightness() -> None:
    rough = np.random.default_rng(2).uniform(0.5, 1, (400, 400, 1)) * np.full(3, 200)
    rough[:, 200:] *= 0.4  # a shadow
    smooth = np.full((400, 400, 3), 150.0)
    fields = [texture(one.astype(np.uint8), one[::2, ::2].astype(np.uint8)) for one in (rough, smooth)]
    lit, shaded = (float(np.median(fields[0][:, part])) for part in (slice(10, 80), slice(120, 190)))
    assert abs(lit - shaded) < 3
    assert lit - float(np.median(fields[1])) > 40
