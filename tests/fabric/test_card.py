import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import table_top
from fabric import ScanOptions
from fabric.card import is_card
from fabric.flat import flat_cloth

SIZE = (600, 800)
FELT = {"red": (170, 45, 45), "navy": (40, 50, 92), "ivory": (234, 227, 209)}


def noisy(colour: tuple[int, int, int] | np.ndarray, deviation: float, size: tuple[int, int]) -> np.ndarray:
    noise = np.random.default_rng(3).normal(0, deviation, (*size, 1))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


def cutting_mat() -> np.ndarray:
    mat = noisy((28, 90, 72), 2, SIZE)
    mat[::40] = mat[1::40] = mat[:, ::40] = mat[:, 1::40] = (150, 190, 150)
    return mat


def square(middle: tuple[float, float], side: float) -> np.ndarray:
    turn = np.array([[-1, -0.8], [1, -1], [0.9, 0.9], [-1, 1]])
    return np.array(middle) + turn * side / 2


@pytest.mark.parametrize("colour", FELT)
def test_smooth_cloth_on_a_gridded_mat_is_no_card(colour: str) -> None:
    """The mat was scanned, because it has more texture than felt or satin."""
    corners = square((400, 300), 430)
    photo = table_top(noisy(FELT[colour], 2, (400, 400)), corners, cutting_mat(), SIZE)
    file = cv2.imencode(".png", photo[..., ::-1])[1].tobytes()
    cloth, outline = flat_cloth(file, ScanOptions(size=256))
    assert outline is not None
    assert np.abs(np.median(cloth.region.of(cloth.colour), axis=(0, 1)) - FELT[colour]).max() < 8


@pytest.mark.parametrize(("colour", "card"), [("red", False), ("ivory", True)])
def test_a_card_is_neutral(colour: str, card: bool) -> None:
    """A small one in a texture; so large, something coloured is the cloth."""
    corners = square((400, 300), 290)
    photo = table_top(noisy(FELT[colour], 2, (400, 400)), corners, cutting_mat(), SIZE)
    assert is_card(photo, corners) is card
