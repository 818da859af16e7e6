"""Measured materials, read as files from packages whose code is not imported, and photos made from them."""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from fabric.builtin import RECIPES
from fabric.light import linear_to_srgb, srgb_to_linear

CLOTH = ("fabric_weave", "felt", "leather", "carbon_fiber")
GROUND = ("tiles", "rocks")  # not cloth, but with measured normals


@dataclass(frozen=True)
class Material:
    """albedo: (N, N, 3) linear RGB float32. normal: (N, N, 3) unit vectors, OpenGL. roughness: mean."""

    name: str
    albedo: np.ndarray
    normal: np.ndarray
    roughness: float


def measured(name: str) -> Material:
    """One of `CLOTH` (threejs-materials, CC0) or of `GROUND` (pypbr, MIT) at 1024².

    Its albedo is scaled so that no light field clips it.
    """
    if name in GROUND:
        folder = _package("pypbr").parent / "tests" / "data" / name
        file = "basecolor.png"
    else:
        folder = _package("threejs_materials") / "pbr_properties" / "_assets" / name
        file = "color.png"
    colour = cv2.cvtColor(cv2.imread(str(folder / file)), cv2.COLOR_BGR2RGB)
    normal = cv2.imread(str(folder / "normal.png"), cv2.IMREAD_UNCHANGED)[..., ::-1].astype(np.float32)
    normal = normal / (normal.max() / 2) - 1
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    albedo = srgb_to_linear(colour)
    albedo = albedo * min(1.0, 0.45 / float(albedo.mean()))
    roughness = cv2.imread(str(folder / "roughness.png"), cv2.IMREAD_GRAYSCALE).mean() / 255
    return Material(name, albedo, normal, float(roughness))


def texture(name: str) -> np.ndarray:
    """A photo of scikit-image, (H, W, 3) uint8 RGB."""
    image = cv2.imread(str(_package("skimage") / "data" / f"{name}.png"))
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def lights(side: int) -> dict[str, np.ndarray]:
    """Light fields (side, side, 1) of geometric mean 1, as a camera's exposure would leave them."""
    y, x = np.mgrid[-1 : 1 : 1j * side, -1 : 1 : 1j * side].astype(np.float32)
    edge = cv2.GaussianBlur((x + 0.4 * y > 0.15).astype(np.float32), (0, 0), side * 0.09)
    fields = {
        "even": np.ones_like(x),
        "side": np.exp(0.35 * x + 0.15 * y),
        "vignette": 1 - 0.35 * (x * x + y * y) / 2,
        "lamp": 0.6 + 0.8 * np.exp(-((x + 0.3) ** 2 + (y - 0.2) ** 2) / 0.8),
        "shadow": 1 - 0.45 * edge,
    }
    return {name: (field / np.exp(np.log(field).mean()))[..., None] for name, field in fields.items()}


def jpeg(linear: np.ndarray, quality: int = 95) -> bytes:
    """Linear RGB as a camera's JPEG."""
    bgr = cv2.cvtColor(linear_to_srgb(linear), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def table_top(cloth: np.ndarray, corners: np.ndarray, table: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A photo of size (height, width) of `cloth` (uint8 RGB) whose corners lie at `corners` (4, 2).

    Cloth is about 1 mm thick, so its shadow reaches some 0.5 % of a 20 cm swatch beside it.
    """
    height, width = size
    side = len(cloth)
    source = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
    warped = cv2.warpPerspective(cloth, matrix, (width, height), flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(np.full((side, side), 255, np.uint8), matrix, (width, height))
    weight = (cv2.GaussianBlur(mask, (0, 0), 1) / 255)[..., None]
    shadow = 1 - 0.35 * (cv2.GaussianBlur(np.roll(mask, (4, 3), (0, 1)), (0, 0), 4) / 255)[..., None]
    return (warped * weight + table * shadow * (1 - weight)).astype(np.uint8)


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"{name} is not installed; run make setup")
    return Path(spec.submodule_search_locations[0])


@cache
def woven(name: str) -> np.ndarray:
    """A photo of a built-in fabric, (1400, 1400, 3) uint8 RGB."""
    return linear_to_srgb(RECIPES[name].make(3))


def grey_square(image: np.ndarray) -> np.ndarray:
    """The largest square from the upper left corner, (side, side) uint8."""
    side = min(image.shape[:2])
    return cv2.cvtColor(image[:side, :side], cv2.COLOR_RGB2GRAY)
