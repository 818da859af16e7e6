"""Cloth: a repeating colour picture, and the cloth's folds and shine.

Measured materials (the catalog's own textures, `threejs-materials`) are read if they are installed; the
others are woven here.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from training.lucy_tiny.gbuffer import Material

TILE = 256

# sRGB of the colour names.
COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (32, 32, 35), "blue": (44, 84, 168), "brown": (98, 66, 46), "burgundy": (104, 26, 44),
    "camel": (190, 148, 100), "charcoal": (62, 64, 68), "cream": (232, 222, 198), "green": (52, 116, 68),
    "grey": (134, 136, 140), "ivory": (238, 234, 222), "mustard": (202, 154, 42), "navy": (34, 44, 82),
    "olive": (98, 100, 58), "orange": (216, 112, 44), "pink": (222, 148, 164), "purple": (96, 62, 132),
    "red": (176, 38, 42), "rust": (158, 78, 42), "teal": (32, 112, 118), "white": (240, 240, 238),
    "yellow": (226, 196, 72),
}  # fmt: skip


@dataclass(frozen=True)
class Cloth:
    """How a kind of cloth falls.

    fold_height: relative to the usual height; fold_sharpness: 1 for round folds, 3 for creases.
    """

    material: Material
    fold_height: float
    fold_sharpness: float


_SMOOTH, _SHINY = Material(0.03, 10), Material(0.09, 18, 0.1)
CLOTHS: dict[str, Cloth] = {
    "canvas": Cloth(_SMOOTH, 0.4, 1.6),
    "cashmere": Cloth(Material(0.01, 5, 0.15), 0.35, 1.0),
    "corduroy": Cloth(Material(0.02, 6, 0.2), 0.4, 1.2),
    "cotton": Cloth(_SMOOTH, 0.55, 1.5),
    "denim": Cloth(_SMOOTH, 0.5, 1.8),
    "felt": Cloth(Material(0.01, 5, 0.1), 0.3, 1.0),
    "flannel": Cloth(Material(0.01, 5, 0.1), 0.45, 1.2),
    "fleece": Cloth(Material(0.0, 5, 0.25), 0.35, 1.0),
    "herringbone": Cloth(_SMOOTH, 0.4, 1.2),
    "houndstooth": Cloth(_SMOOTH, 0.4, 1.2),
    "knit": Cloth(Material(0.0, 5, 0.15), 0.4, 1.0),
    "leather": Cloth(Material(0.21, 26), 0.57, 2.0),
    "linen": Cloth(_SMOOTH, 0.65, 2.2),
    "nylon": Cloth(Material(0.12, 22), 0.65, 1.6),
    "plaid": Cloth(Material(0.01, 6, 0.1), 0.45, 1.3),
    "quilted": Cloth(Material(0.08, 16), 0.3, 1.2),
    "satin": Cloth(Material(0.23, 16, 0.1), 0.55, 1.1),
    "silk": Cloth(Material(0.17, 20, 0.1), 0.55, 1.1),
    "striped": Cloth(_SMOOTH, 0.45, 1.3),
    "suede": Cloth(Material(0.0, 5, 0.2), 0.45, 1.3),
    "tartan": Cloth(Material(0.01, 6, 0.1), 0.45, 1.3),
    "tweed": Cloth(Material(0.01, 5, 0.1), 0.35, 1.1),
    "twill": Cloth(_SHINY, 0.45, 1.5),
    "velvet": Cloth(Material(0.06, 8, 0.7), 0.45, 1.2),
    "wool": Cloth(Material(0.01, 5, 0.1), 0.35, 1.1),
}
# Kinds that training never uses: for the proof that a checkpoint learns a new one (training.finetune).
UNSEEN_CLOTHS: dict[str, Cloth] = {"sequins": Cloth(Material(0.3, 10, 0.2), 0.4, 1.2)}


@dataclass(frozen=True)
class Fabric:
    """texture: (h, w, 3) uint8 sRGB, repeats in both directions; repeat: its side in shoulder widths."""

    name: str
    colour: str
    texture: np.ndarray
    repeat: float = 0.5

    @property
    def cloth(self) -> Cloth:
        return (CLOTHS | UNSEEN_CLOTHS)[self.name]


def _grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:TILE, 0:TILE].astype(np.float32) / TILE
    return x, y


def _wave(phase: np.ndarray) -> np.ndarray:
    return np.asarray(np.sin(2 * np.pi * phase))


# Each weave returns the brightness (h, w) around 0 and, if it has a second colour, that colour's share (h,
# w).
Weave = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray | None]]


def _plain(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    x, y = _grid()
    return 0.5 * _wave(64 * x) * _wave(64 * y) + 0.5 * _fibre(rng), None


def _twill(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    x, y = _grid()
    return 0.8 * _wave(40 * x + 40 * y) + 0.7 * _fibre(rng), None


def _herringbone(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    x, y = _grid()
    zigzag = np.abs((x * 8) % 1 - 0.5) / 4
    return 0.5 * _fibre(rng), (_wave(24 * (y + zigzag)) > 0).astype(np.float32)


def _houndstooth(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    rows, columns = np.mgrid[0:TILE, 0:TILE] // 4
    warp, weft = columns % 8 < 4, rows % 8 < 4
    return 0.3 * _fibre(rng), np.where((rows + columns) % 4 < 2, warp, weft).astype(np.float32)


def _plaid(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    x, y = _grid()
    line = np.zeros(TILE, np.float32)
    for _ in range(rng.integers(1, 4)):
        start, width = rng.integers(TILE), rng.integers(6, 60)
        line[np.arange(start, start + width) % TILE] += rng.uniform(0.3, 0.6)
    line = np.tile(line[:: rng.choice([1, 2])], 2)[:TILE].clip(0, 1)
    diagonal = 0.5 + 0.5 * _wave(40 * x + 40 * y)
    return 0.3 * _fibre(rng), np.where(diagonal > 0.5, line[None], line[:, None])


def _stripes(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    x, _ = _grid()
    count, share = rng.choice([8, 12, 16, 20]), rng.choice([0.08, 0.12, 0.5], p=[0.4, 0.4, 0.2])
    return 0.4 * _fibre(rng), np.repeat(((x * count) % 1 < share).astype(np.float32)[:1], TILE, axis=0)


def _corduroy(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    x, _ = _grid()
    return 1.6 * np.abs(_wave(rng.choice([9, 12, 16]) * x)) - 1 + 0.4 * _fibre(rng), None


def _knit(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    x, y = _grid()
    return 1.4 * np.abs(_wave(10 * x)) * (0.5 + 0.5 * _wave(28 * y + np.abs(_wave(10 * x)) / 2)) - 0.5, None


def _quilted(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    x, y = _grid()
    ridge = np.minimum(np.abs(_wave(1.5 * (x + y) * 2)), np.abs(_wave(1.5 * (x - y) * 2)))
    return 1.5 * (ridge**0.4 - 0.8) + 0.2 * _fibre(rng), None


def _grain(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    return 0.6 * _periodic(rng, 6) + 0.4 * _fibre(rng), None


def _speckle(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    return 0.5 * _fibre(rng), (_periodic(rng, 3) > 1.0).astype(np.float32)


def _nap(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    return 0.3 * _fibre(rng) + 0.5 * _periodic(rng, 20), None


def _even(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    return 0.15 * _fibre(rng), None


def _fibre(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((TILE, TILE)).astype(np.float32) * 0.7 + 0.5 * _periodic(rng, 4)


def _periodic(rng: np.random.Generator, scale: float) -> np.ndarray:
    """Smooth noise that repeats with the tile."""
    white = rng.standard_normal((TILE, TILE)).astype(np.float32)
    margin = int(3 * scale)
    wide = cv2.copyMakeBorder(white, *(margin,) * 4, cv2.BORDER_WRAP)
    smooth = cv2.GaussianBlur(wide, (0, 0), scale / 2.5)[margin:-margin, margin:-margin]
    return np.asarray(smooth / smooth.std())


_WEAVES: dict[str, Weave] = {
    "canvas": _plain, "cashmere": _nap, "corduroy": _corduroy, "cotton": _even, "denim": _twill,
    "felt": _nap, "flannel": _plaid, "fleece": _grain, "herringbone": _herringbone,
    "houndstooth": _houndstooth, "knit": _knit, "leather": _grain, "linen": _plain, "nylon": _even,
    "plaid": _plaid, "quilted": _quilted, "satin": _even, "silk": _even, "striped": _stripes, "suede": _nap,
    "tartan": _plaid, "tweed": _speckle, "twill": _twill, "velvet": _nap, "wool": _nap,
}  # fmt: skip
# Relief in the picture itself, as a share of the brightness.
_CONTRAST = {
    "denim": 0.13,
    "tweed": 0.14,
    "corduroy": 0.22,
    "knit": 0.2,
    "quilted": 0.1,
    "linen": 0.1,
    **dict.fromkeys(("cashmere", "felt", "suede", "velvet", "wool"), 0.035),
}


_VARIANTS = 6  # of each kind's pattern, cached because weaving takes longer than dyeing


@lru_cache(maxsize=len(_WEAVES) * _VARIANTS)
def _pattern(name: str, variant: int) -> tuple[np.ndarray, np.ndarray | None]:
    return _WEAVES[name](np.random.default_rng([list(_WEAVES).index(name), variant]))


def weave(name: str, colour: str, rng: np.random.Generator) -> Fabric:
    """A fabric of a kind and colour of the caption language, with a random shade.

    Raises KeyError for an unknown kind or colour.
    """
    brightness, share = _pattern(name, int(rng.integers(_VARIANTS)))
    base = np.array(COLOURS[colour], np.float32) * rng.normal(1, 0.06, 3) * rng.uniform(0.85, 1.15)
    texture = np.broadcast_to(base, (TILE, TILE, 3))
    if share is not None:
        other = np.array(COLOURS[rng.choice(list(COLOURS))], np.float32)
        if name in ("tweed", "herringbone", "houndstooth"):  # of two shades mostly, not of two colours
            other = np.clip(base + rng.choice([-70, 60]) + rng.normal(0, 10, 3), 8, 250)
        texture = texture + 0.85 * share[..., None] * (other - texture)
    texture = texture * (1 + _CONTRAST.get(name, 0.06) * brightness[..., None])
    return Fabric(name, colour, texture.clip(0, 255).astype(np.uint8), rng.uniform(0.35, 0.7))


def sequins(rng: np.random.Generator) -> Fabric:
    """Of one colour: rows of small mirrors, each as bright as what it happens to face."""
    colour = str(rng.choice(list(COLOURS)))
    side = int(rng.choice([8, 10, 12]))  # pixels of a mirror, in a tile
    count = TILE // side
    size = (count * side, count * side)
    facing = rng.gamma(1.6, 0.62, (count, count)).clip(0.15, 3.2).astype(np.float32)
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    disc = np.hypot(x % side - side / 2 + 0.5, y % side - side / 2 + 0.5) / (side / 2)
    brightness = cv2.resize(facing, size, interpolation=cv2.INTER_NEAREST)
    brightness = np.where(disc < 0.95, brightness * (1.1 - 0.35 * disc), 0.25)
    base = np.array(COLOURS[colour], np.float32) * rng.normal(1, 0.05, 3)
    texture = (base * brightness[..., None]).clip(0, 255).astype(np.uint8)
    return Fabric("sequins", colour, texture, rng.uniform(0.35, 0.6))


@lru_cache
def measured_textures() -> dict[str, list[Path]]:
    """Installed colour pictures of real cloth, by kind."""
    found: dict[str, list[Path]] = {}
    materials = importlib.util.find_spec("threejs_materials")
    if materials and materials.submodule_search_locations:
        assets = Path(materials.submodule_search_locations[0], "pbr_properties", "_assets")
        for name, folder in (("canvas", "fabric_weave"), ("felt", "felt")):
            if (assets / folder / "color.png").exists():
                found[name] = [assets / folder / "color.png"]
    catalog = Path(__file__).resolve().parents[2] / "catalog" / "textures"
    for path in sorted(catalog.rglob("*diffuse*")):
        for name in CLOTHS:
            if name in path.as_posix():
                found.setdefault(name, []).append(path)
    return found


@lru_cache(maxsize=64)
def _read_texture(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path} is not a picture")
    return cv2.cvtColor(cv2.resize(picture, (TILE, TILE), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def sample_fabric(rng: np.random.Generator) -> Fabric:
    """A random fabric for training; for kinds that were measured, mostly real cloth, dyed in a colour."""
    name, colour = rng.choice(list(CLOTHS)), rng.choice(list(COLOURS))
    paths = measured_textures().get(name)
    if paths and rng.random() < 0.7:
        texture = _read_texture(paths[rng.integers(len(paths))]).astype(np.float32)
        grain = texture.mean(axis=2, keepdims=True) / texture.mean()
        dyed = (np.array(COLOURS[colour], np.float32) * grain).clip(0, 255).astype(np.uint8)
        return Fabric(name, colour, dyed, rng.uniform(0.35, 0.7))
    return weave(name, colour, rng)


def plain_fabric(colour: tuple[int, int, int], rng: np.random.Generator) -> Fabric:
    """Cotton of one sRGB colour."""
    texture = np.array(colour, np.float32) * (1 + 0.03 * _fibre(rng)[..., None])
    return Fabric("cotton", "", texture.clip(0, 255).astype(np.uint8))
