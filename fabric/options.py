"""Options of a scan."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import isfinite
from typing import Literal

from fabric.errors import FabricError
from fabric.material import FABRIC_CLASSES
from fabric.white import WhitePoint, is_white_point

SIZES = (256, 512, 1024, 2048)
Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class ScanOptions:
    """Options of one scan; all values are checked on creation.

    corners: the swatch's four corners, in any order, each (x, y) from 0 to 1 of the upright photo's
        width and height. None detects them.
    fabric_class: the class whose priors of roughness, relief and sheen are used (`FABRIC_CLASSES`).
    size: side of every map in pixels, one of `SIZES`.
    physical_width_mm: the swatch's width from left to right in millimetres, if known.
    white_point: the colour that white paper or a grey card has in this light: sRGB, three numbers from 1 to
        255. None takes that of white paper or a neutral card on the cloth, if there is one.
    format: `jpeg` (small enough for data URIs) or `png` (lossless).
    The strengths scale a step's effect: 0 turns it off, 1 is the default, 2 doubles it.

    Raises FabricError INVALID_INPUT.
    """

    corners: Corners | None = None
    fabric_class: str = "cloth"
    size: int = 1024
    physical_width_mm: float | None = None
    white_point: WhitePoint | None = None
    format: Literal["jpeg", "png"] = "jpeg"
    light_strength: float = 1.0
    contrast_strength: float = 1.0
    normal_strength: float = 1.0
    roughness_strength: float = 1.0
    ao_strength: float = 1.0

    def __post_init__(self) -> None:
        if self.fabric_class not in FABRIC_CLASSES:
            raise _invalid(f"fabric_class must be one of {', '.join(FABRIC_CLASSES)}")
        if self.size not in SIZES:
            raise _invalid(f"size must be one of {', '.join(map(str, SIZES))}")
        if self.format not in ("jpeg", "png"):
            raise _invalid("format must be jpeg or png")
        width = self.physical_width_mm
        if width is not None and not (_is_number(width) and 1 <= width <= 10_000):
            raise _invalid("physical_width_mm must be between 1 and 10000")
        if self.white_point is not None:
            object.__setattr__(self, "white_point", _checked_white(self.white_point))
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_strength") and not (_is_number(value) and 0 <= value <= 2):
                raise _invalid(f"{field.name} must be between 0 and 2")
        if self.corners is not None:
            object.__setattr__(self, "corners", _checked_corners(self.corners))


def _checked_corners(corners: Iterable[Iterable[float]]) -> Corners:
    """`corners` as a tuple of tuples. `rectify` checks the shape that they span."""
    try:
        points = tuple((float(x), float(y)) for x, y in corners)
    except (TypeError, ValueError):
        points = ()
    if len(points) != 4 or not all(0 <= value <= 1 for point in points for value in point):
        raise _invalid(
            "corners must be four [x, y] pairs: fractions of the photo's width and height, from 0 to 1"
        )
    return points


def _checked_white(colour: Iterable[float]) -> WhitePoint:
    try:
        red, green, blue = (float(value) for value in colour)
        if is_white_point((red, green, blue)):
            return red, green, blue
    except (TypeError, ValueError):
        pass
    raise _invalid(
        "white_point must be the colour of white paper or a grey card in the photo: three numbers from 1 to "
        "255 that are not far apart"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _invalid(message: str) -> FabricError:
    return FabricError("INVALID_INPUT", message)
