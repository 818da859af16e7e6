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


def fine_weave() -> np.ndarray:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    yarns = 25 * np.sin(x * 2 * np.pi / 3.7) * np.sin(y * 2 * np.pi / 3.7)
    return noisy(np.dstack([200 + yarns, 186 + yarns, 152 + yarns]), 1.5, SIZE)


@pytest.mark.parametrize("card", [(120, 116, 105), (233, 225, 202)], ids=["grey", "white"])
def test_a_card_on_a_fine_weave_is_no_swatch(card: tuple[int, int, int]) -> None:
    """The card was scanned: in a preview, little texture is left of a fine weave."""
    photo = table_top(noisy(card, 1, (400, 400)), square((360, 330), 230), fine_weave(), SIZE)
    file = cv2.imencode(".png", photo[..., ::-1])[1].tobytes()
    cloth, outline = flat_cloth(file, ScanOptions(size=256))
    assert outline is None
    assert np.abs(np.median(cloth.region.of(cloth.colour), axis=(0, 1)) - (200, 186, 152)).max() < 8
    assert cloth.white == pytest.approx(card, abs=3)


def test_a_plain_weave_on_wood_is_no_card() -> None:
    """It is neutral, and wood has a texture as a fine weave has, but a card is smoother."""
    grain = cv2.GaussianBlur(np.random.default_rng(4).normal(0, 1, SIZE), (0, 0), sigmaX=30, sigmaY=1)
    wood = np.clip((168, 130, 90) + 12 * (grain / grain.std())[..., None], 0, 255).astype(np.uint8)
    corners = square((400, 300), 250)
    weave = fine_weave()[:250, :250]
    assert not is_card(table_top(weave, corners, wood, SIZE), corners)
