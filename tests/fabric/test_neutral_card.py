import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import table_top
from fabric import ScanOptions
from fabric.flat import flat_cloth
from fabric.neutral_card import neutral_card_colour
from fabric.region import find_objects

GREY = (126, 119, 101)  # a grey card in a warm lamp's light
CARD = np.array([[120, 330], [290, 340], [285, 455], [115, 445]])


def noisy(colour: tuple[int, int, int] | np.ndarray, size: tuple[int, int] = (600, 800)) -> np.ndarray:
    noise = np.random.default_rng(3).normal(0, 1, (*size, 1))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


def weave() -> np.ndarray:
    y, x = np.mgrid[:600, :800]
    yarns = 25 * np.sin(x * 2 * np.pi / 5.3) * np.sin(y * 2 * np.pi / 5.3)
    return noisy(np.dstack([120 + yarns, 60 + yarns, 55 + yarns]))


def found(photo: np.ndarray) -> object:
    cells = find_objects(photo)
    assert cells.any()
    return neutral_card_colour(photo, cells)


def on(photo: np.ndarray, colour: tuple[int, int, int], points: np.ndarray = CARD) -> np.ndarray:
    mask = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 255)
    weight = (cv2.GaussianBlur(mask, (0, 0), 0.8) / 255)[..., None]
    return (photo * (1 - weight) + noisy(colour) * weight).astype(np.uint8)


@pytest.mark.parametrize("card", [GREY, (90, 88, 84), (236, 226, 205)])
def test_a_small_card_sets_the_white_point(card: tuple[int, int, int]) -> None:
    """A grey card never did, unless its outline was found."""
    colour = found(on(weave(), card))
    assert colour is not None
    assert colour == pytest.approx(card, abs=1)


@pytest.mark.parametrize(
    "colour",
    [(205, 150, 125), (95, 120, 160), (120, 140, 110), (255, 255, 255), (40, 40, 40)],
    ids=["skin", "blue", "green", "overexposed", "black"],
)
def test_what_no_lamp_tints_so_sets_none(colour: tuple[int, int, int]) -> None:
    assert found(on(weave(), colour)) is None


def test_a_grey_thing_that_is_no_rectangle_sets_none() -> None:
    turns = np.arange(48) * np.pi / 24
    disc = np.array([300, 350]) + 90 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    assert found(on(weave(), GREY, disc)) is None
    ruler = np.array([[80, 400], [700, 420], [698, 470], [78, 450]])
    assert found(on(weave(), GREY, ruler)) is None


def test_two_cards_that_may_both_be_meant_set_none() -> None:
    photo = on(on(weave(), GREY), (150, 130, 120), CARD + np.array([350, -250]))
    assert found(photo) is None


def test_light_on_smooth_cloth_is_no_card() -> None:
    """Sunlight through a window on beige satin has four sides, and satin is smooth."""
    photo = noisy((150, 140, 120))
    cells = np.zeros((48, 64), bool)
    cells[26:37, 9:24] = True
    lit = on(photo, (200, 187, 160))
    assert neutral_card_colour(lit, cells) is None
    assert neutral_card_colour(on(photo, (120, 124, 122)), cells) is not None


def test_a_card_on_a_swatch_on_a_table_sets_the_white_point() -> None:
    """It was looked for only where the cloth fills the photo."""
    corners = np.array([[130.0, 60], [690, 50], [700, 560], [110, 550]])
    cloth = on(weave(), GREY)[:, :700]
    table = noisy((70, 66, 64))
    photo = table_top(cv2.resize(cloth, (700, 700)), corners, table, (600, 800))
    file = cv2.imencode(".png", photo[..., ::-1])[1].tobytes()
    seen, outline = flat_cloth(file, ScanOptions(size=256))
    assert outline is not None
    assert seen.white == pytest.approx(GREY, abs=2)
    given, _ = flat_cloth(file, ScanOptions(size=256, white_point=(250.0, 250.0, 250.0)))
    assert given.white is None  # the request's own is used
