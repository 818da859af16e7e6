import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import lights
from fabric import ScanOptions, scan
from fabric.builtin import RECIPES
from fabric.light import linear_to_srgb
from fabric.region import Region, find_region
from fabric.weaves import Weave, weave_cloth

SIZE = (600, 800)
DENIM = Weave("denim", (7, 7), np.array([0.05, 0.1, 0.3]), np.array([0.3, 0.3, 0.35]), depth=0.8)
TABLE = np.array([190, 165, 130])
SKIN = (222, 180, 160)


def table() -> np.ndarray:
    noise = np.random.default_rng(5).normal(0, 2, (*SIZE, 1))
    return np.clip(TABLE + noise, 0, 255).astype(np.uint8)


def shape(name: str) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    if name == "round":
        cv2.circle(mask, (410, 300), 210, 1, -1)
    elif name == "hexagon":
        turns = np.arange(6) * np.pi / 3
        points = np.array([400, 300]) + 220 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        cv2.fillPoly(mask, [points.astype(np.int32)], 1)
    else:
        mask[90:510, 180:620] = 1
        mask[330:, 430:] = 0
    return mask


def swatch(name: str) -> np.ndarray:
    cloth = linear_to_srgb(weave_cloth(DENIM, 800, 2))[: SIZE[0]]
    return np.where(shape(name)[..., None] == 1, cloth, table())


def is_cloth(photo: np.ndarray, region: Region) -> bool:
    cells = cv2.resize(region.of(photo), (16, 16), interpolation=cv2.INTER_AREA).astype(int)
    return bool((cells[..., 2] - cells[..., 0]).min() > 5)  # denim is blue, the table and a hand are not


@pytest.mark.parametrize("name", ["round", "hexagon", "angled"])
def test_a_swatch_without_four_corners_is_the_cloth(name: str) -> None:
    """The table was scanned: there is more of it, so the swatch was an object that lies on it."""
    photo = swatch(name)
    found = find_region(photo, table=True)
    assert found.beside == "table"
    assert found.side > 150
    assert is_cloth(photo, found)


def test_a_hand_on_such_a_swatch_is_left_out() -> None:
    photo = swatch("round")
    cv2.ellipse(photo, (590, 420), (170, 60), 35, 0, 360, SKIN, -1)
    found = find_region(photo, table=True)
    assert found.beside == "table"
    assert is_cloth(photo, found)


def test_an_object_on_cloth_that_fills_the_photo_is_none() -> None:
    photo = linear_to_srgb(weave_cloth(DENIM, 800, 2))[: SIZE[0]]
    photo[200:360, 330:480] = SKIN
    found = find_region(photo, table=True)
    assert found.beside == "object"
    assert is_cloth(photo, found)


@pytest.mark.parametrize("framed", [True, False])
def test_a_middle_unlike_the_border_is_told(framed: bool) -> None:
    """In light so uneven no object is looked for; the advice was silent, or about the light only."""
    bands = np.repeat(np.random.default_rng(2).uniform(0.25, 1, 20), 40)[None, :, None]
    mat = np.broadcast_to(np.array([60, 150, 120]), (*SIZE, 3))
    red = np.where(shape("round")[..., None] == 1, (190, 60, 50), mat) if framed else mat
    photo = (red * bands).astype(np.uint8)
    found = find_region(photo, table=True)
    assert (found.beside, found.side) == ("table" if framed else None, SIZE[0])


def test_a_lamp_over_coloured_cloth_shows_no_table() -> None:
    """Its middle is brighter, and so more coloured."""
    photo = linear_to_srgb(RECIPES["polyester-red"].make(3)[:1024, :1024] * lights(1024)["lamp"])
    assert find_region(photo, table=True).beside is None


def test_the_advice_asks_for_corners() -> None:
    file = cv2.imencode(".png", swatch("round")[..., ::-1])[1].tobytes()
    made = scan(file, ScanOptions(size=256))
    assert made.quality["outline"] is None
    assert "send them as `corners`" in str(made.detail)
    assert "lies on the cloth" not in str(made.detail)


def test_the_lit_part_of_a_cloth_whose_texture_is_lost_in_the_shadow_is_no_object() -> None:
    """The tile was cut out of the shadow alone, and a third as bright as the cloth."""
    side = 600
    y, x = np.mgrid[:side, :side] / side
    lit = 1 / (1 + np.exp(-(0.86 * (x - 0.5) - 0.5 * (y - 0.5) - 0.1) / 0.009))
    yarns = np.sin(80 * np.pi * x) * np.sin(80 * np.pi * y)
    cloth = 0.4 * (1 + np.where(lit > 0.5, 0.5, 0.05) * yarns) * (0.33 + 0.67 * lit)
    photo = linear_to_srgb(np.repeat(cloth[..., None], 3, axis=2).astype(np.float32))
    found = find_region(photo)
    assert found.shadow is not None
    assert (found.side, found.beside) == (side, None)
