"""What a pack is made of: a fabric's maps and numbers, read from a scan or from the catalog."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from fabric.encode import EncodedImage
from fabric.errors import FabricError

UNKNOWN_WIDTH_MM = 100.0  # of a tile whose real size nobody has told
NEEDED = ("diffuse", "normal", "roughness_map")


@dataclass(frozen=True)
class PackedFabric:
    """id: the beginning of each file's name. maps: compressed, by role. roughness, metalness: the factors of
    the maps. material: parameters of Three.js `MeshPhysicalMaterial`; its owner may have written anything.
    aspect: the tile's width by its height on the cloth. details: what else is known, for `<id>.json`.

    Raises FabricError INVALID_INPUT without the maps that every format needs.
    """

    id: str
    name: str
    maps: Mapping[str, EncodedImage]
    roughness: float
    metalness: float
    material: Mapping[str, Any]
    aspect: float = 1.0
    tile_width_mm: float | None = None
    license: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if missing := [role for role in NEEDED if role not in self.maps]:
            raise FabricError("INVALID_INPUT", f"a pack needs these maps, too: {', '.join(missing)}")

    @property
    def tile_m(self) -> tuple[float, float]:
        """The tile's width and height on the cloth in metres."""
        width = (self.tile_width_mm or UNKNOWN_WIDTH_MM) / 1000
        return width, width / self.aspect

    def number(self, name: str, default: float = 0.0) -> float:
        """A parameter of the material between 0 and 1; `default` where there is no number."""
        value = self.material.get(name)
        return min(1.0, max(0.0, float(value))) if is_number(value) else default

    def colour(self, name: str) -> tuple[float, float, float]:
        """A parameter of three numbers between 0 and 1, linear RGB; white where there are none."""
        value = self.material.get(name)
        if isinstance(value, list | tuple) and len(value) == 3 and all(is_number(v) for v in value):
            red, green, blue = (min(1.0, max(0.0, float(v))) for v in value)
            return red, green, blue
        return 1.0, 1.0, 1.0

    @property
    def sheen(self) -> tuple[float, float, float]:
        """Weight and colour of the sheen together."""
        weight = self.number("sheen")
        red, green, blue = self.colour("sheenColor")
        return weight * red, weight * green, weight * blue

    @property
    def cutoff(self) -> float | None:
        """The opacity below which there is a hole; None for a veil that one sees through."""
        return None if self.material.get("transparent") is True else self.number("alphaTest", 0.5) or 0.5


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number that a file can hold: JSON's integers may be larger than any float."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max  # False for NaN
