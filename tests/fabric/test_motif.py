"""A print's repeat is taken out of the light, and a shadow over it is found."""

import numpy as np

from fabric.even import evened
from fabric.light import well_lit
from fabric.motif import without_motif

SIDE = 288


def dots(periods: float) -> np.ndarray:
    """Dark dots on light cloth, (SIDE, SIDE, 3) linear RGB."""
    at = (np.arange(SIDE) + 0.5) / SIDE * periods % 1 - 0.5
    inside = np.hypot(at[:, None], at[None]) < 0.28
    return np.where(inside, 0.08, 0.7)[..., None].repeat(3, axis=2).astype(np.float32)


def in_shadow() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    return (1 - 0.5 / (1 + np.exp((x + 0.4 * y - 0.05) / 0.012)))[..., None].astype(np.float32)


def test_only_what_repeats_is_taken_out() -> None:
    _, x = np.mgrid[:64, :64] / 64
    light = (0.3 * (x - 0.5) ** 2)[..., None]
    motif = 0.5 * np.cos(2 * np.pi * 6.75 * x)[..., None]
    assert np.abs(without_motif(light + motif, (6.75, None)) - light).max() < 0.05
    assert (without_motif(light, (None, None)) == light).all()


def test_a_shadow_over_a_print_is_found() -> None:
    """Dots vary more than a shadow does: it stayed in the tile, which came out a fifth too dark."""
    cloth, cycles = dots(6.75), (6.75, 6.75)
    dark = cloth * in_shadow()
    even = evened(cloth, well_lit(cloth, 0.1, cycles=cycles))
    shaded = evened(dark, well_lit(dark, 0.1, cycles=cycles))
    assert 0.95 < np.median(shaded) / np.median(even) < 1.05
    without = evened(dark, well_lit(dark, 0.1))
    ground = cloth[..., 0] > 0.5
    assert np.log(shaded[ground]).std() < 0.5 * np.log(without[ground]).std()
