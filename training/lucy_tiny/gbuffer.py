"""The visible surface at each pixel, without light: a G-buffer (Saito & Takahashi, 1990).

Layers are painted into it from back to front. Heights are in pixels towards the viewer; shadows and normals
are computed from them alone.
"""

from dataclasses import dataclass, field

import numpy as np

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Material:
    """How a surface reflects light, except for its colour.

    specular: strength of the highlight, 0 (cloth) to about 0.6 (patent leather).
    gloss: the highlight's exponent; 5 is broad, 80 a small spot.
    sheen: brightening where the surface turns away, as velvet does.
    """

    specular: float = 0.02
    gloss: float = 8.0
    sheen: float = 0.0


@dataclass
class Layer:
    """One part of a picture, with soft edges.

    window: where it lies on the canvas; the arrays below have its size (h, w).
    alpha: (h, w) coverage, 0 to 1.
    albedo: (h, w, 3) or (3,) linear RGB.
    height: (h, w) smooth height in pixels.
    folds: (h, w) the height that folds add, or 0.
    """

    window: Window
    alpha: np.ndarray
    albedo: np.ndarray
    height: np.ndarray
    folds: np.ndarray | float = 0.0
    material: Material = field(default_factory=Material)


class GBuffer:
    """Albedo, normal, height, material and coverage of every pixel, planes (…, H, W) float32."""

    def __init__(self, size: tuple[int, int]):
        """size: (height, width). Unpainted pixels are black and far behind everything."""
        self._data = np.zeros((11, *size), np.float32)
        self.height[:] = -0.25 * size[0]
        self.normal[2] = 1

    @property
    def albedo(self) -> np.ndarray:
        """Linear RGB."""
        return self._data[0:3]

    @property
    def normal(self) -> np.ndarray:
        """Unit vectors: x right, y down, z towards the viewer."""
        return self._data[3:6]

    @property
    def height(self) -> np.ndarray:
        return self._data[6]

    @property
    def material(self) -> np.ndarray:
        """specular, gloss, sheen."""
        return self._data[7:10]

    @property
    def coverage(self) -> np.ndarray:
        return self._data[10]

    def copy(self) -> "GBuffer":
        other = object.__new__(GBuffer)
        other._data = self._data.copy()
        return other

    def paint(self, layer: Layer, folded: float = 1.0) -> None:
        """Paint `layer` over the present content. folded: share of its folds' height that is added."""
        height = layer.height + folded * layer.folds
        rows, columns = layer.window
        material = (layer.material.specular, layer.material.gloss, layer.material.sheen)
        albedo = np.moveaxis(np.broadcast_to(layer.albedo, (*layer.alpha.shape, 3)), 2, 0)
        for plane, value in zip(
            self._data[:, rows, columns], (*albedo, *normals(height), height, *material, 1.0), strict=True
        ):
            plane += layer.alpha * (value - plane)

    def paint_all(self, layers: list[Layer], folded: float = 1.0) -> None:
        for layer in layers:
            self.paint(layer, folded)


def coverage(layers: list[Layer], size: tuple[int, int]) -> np.ndarray:
    """The coverage of all layers together: (H, W), 0 to 1."""
    covered = np.zeros(size, np.float32)
    for layer in layers:
        region = covered[layer.window]
        region += layer.alpha * (1 - region)
    return covered


def normals(height: np.ndarray) -> np.ndarray:
    """Unit normals (3, h, w) of a height field (h, w) in pixels."""
    down, right = np.gradient(height.astype(np.float32))
    facing = 1 / np.sqrt(1 + right * right + down * down)
    return np.stack([-right * facing, -down * facing, facing])
