import numpy as np
import pytest

from fabric.fibres import fibre_direction


def fibres(angle: float) -> np.ndarray:
    """Lines at `angle` radians anticlockwise from the width."""
    y, x = np.mgrid[:256, :256]
    wave = 128 + 60 * np.sin(0.4 * (x * np.sin(angle) + y * np.cos(angle)))
    return np.repeat(wave.astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("degrees", [-80, -45, 0, 30, 75])
def test_the_direction_is_found(degrees: float) -> None:
    assert fibre_direction(fibres(np.radians(degrees))) == pytest.approx(np.radians(degrees), abs=0.02)


def test_vertical_fibres_may_be_named_either_way() -> None:
    assert abs(fibre_direction(fibres(np.pi / 2)) or 0) == pytest.approx(np.pi / 2, abs=0.02)


def test_a_cloth_without_a_direction_has_none() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (256, 256, 1), np.uint8)
    assert fibre_direction(np.repeat(noise, 3, axis=2)) is None
    assert fibre_direction(np.full((256, 256, 3), 90, np.uint8)) is None
    squared = np.maximum(fibres(0), fibres(np.pi / 2))
    assert fibre_direction(squared) is None
