"""A fabric of the catalog, and what its owner may write about it."""

import re
import sys
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, computed_field

Role = Literal["diffuse", "normal", "roughness_map", "ao", "height", "orm", "alpha", "thumbnail"]
MAX_TAG = 40  # characters
# Text is stripped before it is checked. The published JSON schema cannot say that; with this pattern it
# still refuses blank text.
_SOME = r"\S"
Tag = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=MAX_TAG, pattern=_SOME),
]

EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
ROLES: tuple[Role, ...] = get_args(Role)
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
# Without these a client cannot show the fabric.
REQUIRED_ROLES: tuple[Role, ...] = ("diffuse", "normal", "roughness_map", "thumbnail")


class Texture(BaseModel):
    """One texture file, named after its content.

    normal_convention: `opengl` (+Y up, as glTF and Three.js expect) on normal maps, else None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    media_type: Literal["image/jpeg", "image/png", "image/webp"]
    size_bytes: int = Field(gt=0)
    color_space: Literal["srgb", "linear"]
    normal_convention: Literal["opengl"] | None = None

    @property
    def filename(self) -> str:
        return f"{self.sha256}.{EXTENSIONS[self.media_type]}"

    @property
    def url(self) -> str:
        """A server-relative path. Its content never changes: other content has another name."""
        return f"/textures/{self.filename}"


def _in_range(values: dict[str, Any]) -> dict[str, Any]:
    """Raises ValueError for a number that no program can read as a float, however deep it lies."""
    waiting: list[object] = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, int) and abs(value) > sys.float_info.max:
            raise ValueError("a number in it is too large; send at most 1.7e308")
    return values


# What an owner may write freely.
_Free = Annotated[dict[str, Any], AfterValidator(_in_range)]


class FabricDetails(BaseModel):
    """Everything about a fabric that its owner may write: all but its id and its files.

    roughness, metalness: 0 to 1; they multiply the maps. material: parameters of Three.js
    `MeshPhysicalMaterial` (never `color`, which would make clients ignore the textures).
    tile_width_mm: the width of one texture tile on real cloth. provenance: where the fabric came from.

    For a simulation of drape: weight_gsm in g/m²; thickness_mm; stretch_warp and stretch_weft, the extension
    in per cent under 98 N/m, lengthwise and crosswise; bend, the bending rigidity in µN·m. fabric_class: the
    kind of cloth, such as `denim`; its values hold where these are left out.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=120, pattern=_SOME)
    description: str | None = Field(None, max_length=2000)
    tags: tuple[Tag, ...] = Field((), max_length=32)
    fibre: str | None = Field(None, max_length=80)
    weave: str | None = Field(None, max_length=80)
    tile_width_mm: float | None = Field(None, gt=0, le=100_000)
    license: str | None = Field(None, max_length=200)
    fabric_class: str | None = Field(None, max_length=40)
    weight_gsm: float | None = Field(None, gt=0, le=10_000)
    thickness_mm: float | None = Field(None, gt=0, le=100)
    stretch_warp: float | None = Field(None, ge=0, le=1000)
    stretch_weft: float | None = Field(None, ge=0, le=1000)
    bend: float | None = Field(None, ge=0, le=1_000_000)
    roughness: float = Field(ge=0, le=1)
    metalness: float = Field(0.0, ge=0, le=1)
    material: _Free = {}
    quality: _Free = {}
    provenance: _Free = {}


class Fabric(FabricDetails):
    """A fabric of the catalog; the URLs are server-relative paths."""

    # Not checked again: a fabric that is stored stays in the catalog, so that its owner can correct it.
    material: dict[str, Any] = {}
    quality: dict[str, Any] = {}
    provenance: dict[str, Any] = {}
    id: str = Field(pattern=f"^{ID.pattern}$")
    textures: dict[Role, Texture]

    def _url(self, role: Role) -> str | None:
        texture = self.textures.get(role)
        return texture.url if texture else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def tile_aspect(self) -> float:
        """The tile's width by its height on the cloth, which `material` tells as the textures' `repeat`."""
        repeat = self.material.get("repeat")
        try:
            across, down = (float(number) for number in repeat)  # type: ignore[union-attr]
        except (TypeError, ValueError, OverflowError):
            return 1.0
        aspect = down / across if across else 0.0
        return aspect if 0.01 <= aspect <= 100 else 1.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def repeat_mm(self) -> list[float] | None:
        """Width and height of the tile on the cloth: how often the textures repeat there."""
        if self.tile_width_mm is None:
            return None
        return [self.tile_width_mm, round(self.tile_width_mm / self.tile_aspect, 2)]

    # The wire contract wants these names at the top level.
    @computed_field  # type: ignore[prop-decorator]
    @property
    def diffuseUrl(self) -> str | None:
        return self._url("diffuse")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def normalUrl(self) -> str | None:
        return self._url("normal")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def roughnessUrl(self) -> str | None:
        return self._url("roughness_map")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def aoUrl(self) -> str | None:
        return self._url("ao")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def heightUrl(self) -> str | None:
        return self._url("height")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ormUrl(self) -> str | None:
        return self._url("orm")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def alphaUrl(self) -> str | None:
        return self._url("alpha")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def thumbnail(self) -> str | None:
        return self._url("thumbnail")
