"""A fabric as it is stored: its JSON document, its textures' descriptions, and its id."""

import hashlib
import logging
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from catalog.errors import CatalogError
from catalog.schema import EXTENSIONS, REQUIRED_ROLES, ROLES, Fabric, FabricDetails, Role, Texture

log = logging.getLogger(__name__)

Maps = Mapping[str, tuple[bytes, str]]

RESERVED = frozenset({"catalog", "scan"})  # paths beside `/api/fabric/{id}`, which would hide the fabric
TEXTURE_NAME = re.compile(rf"[0-9a-f]{{64}}\.({'|'.join(EXTENSIONS.values())})")
MAX_DOCUMENT_BYTES = 2**20  # the proxy accepts 64 KiB of details
_MAX_QUOTED = 80  # characters of a client's text in an error


@dataclass(frozen=True)
class Contents:
    """All stored fabrics by id, in the order of their ids.

    damaged: the names of documents that are no fabrics. unreadable: of those that could not be read now.
    """

    fabrics: dict[str, Fabric]
    damaged: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()

    def unused(self, filenames: set[str]) -> set[str]:
        """Those textures that no fabric has. None while a document is missing: it may name any of them.

        Files whose names are not those of textures belong to somebody else.
        """
        if self.damaged or self.unreadable:
            return set()
        used = {texture.filename for fabric in self.fabrics.values() for texture in fabric.textures.values()}
        return {name for name in filenames - used if TEXTURE_NAME.fullmatch(name)}


def compose(fabric_id: str, details: FabricDetails, textures: Mapping[Role, Texture]) -> Fabric:
    known = {name: getattr(details, name) for name in FabricDetails.model_fields}
    return Fabric(id=fabric_id, textures=dict(textures), **known)


def to_json(fabric: Fabric) -> bytes:
    """The document of a fabric."""
    text = fabric.model_dump_json(indent=2, exclude_none=True, exclude_computed_fields=True)
    return text.encode() + b"\n"


def from_json(content: bytes, name: str | Path) -> Fabric | None:
    """The fabric of a document; None for a damaged one, which is logged under its `name`."""
    try:
        if len(content) > MAX_DOCUMENT_BYTES:
            raise ValueError(f"it has more than {MAX_DOCUMENT_BYTES} bytes")
        fabric = Fabric.model_validate_json(content)
        if fabric.id != Path(name).stem:
            raise ValueError(f"its id {fabric.id!r} is not its file's name")
        if missing := [role for role in REQUIRED_ROLES if role not in fabric.textures]:
            raise ValueError(f"it has no texture for {', '.join(missing)}")
        return fabric
    except (ValidationError, ValueError) as error:
        log.error("%s is not a fabric; correct or remove it: %s", name, error)
        return None


def describe(maps: Maps) -> dict[Role, Texture]:
    """The textures of a new fabric. Raises CatalogError INVALID_INPUT for missing or unknown maps."""
    missing = [role for role in REQUIRED_ROLES if role not in maps]
    if missing:
        raise CatalogError("INVALID_INPUT", f"the fabric needs these maps, too: {', '.join(missing)}")
    for role, (data, media_type) in maps.items():
        if role not in ROLES:
            raise CatalogError("INVALID_INPUT", f"{role!r} is none of {', '.join(ROLES)}")
        if media_type not in EXTENSIONS or not data:
            raise CatalogError(
                "INVALID_INPUT", f"{role} must be one of {', '.join(EXTENSIONS)}, and not empty"
            )
    return {role: _describe(role, *maps[role]) for role in ROLES if role in maps}


def _describe(role: Role, data: bytes, media_type: str) -> Texture:
    return Texture(
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=media_type,
        size_bytes=len(data),
        color_space="srgb" if role in ("diffuse", "thumbnail") else "linear",
        normal_convention="opengl" if role == "normal" else None,
    )


def free_id(name: str, taken: frozenset[str]) -> str:
    """`name` in lower-case words joined by hyphens, with a number if that id is taken."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:60].rstrip("-") or "fabric"
    candidates = (slug if number == 1 else f"{slug}-{number}" for number in range(1, len(taken) + 2))
    return next(candidate for candidate in candidates if candidate not in taken)


def quoted(text: str) -> str:
    """A client's text for an error message, shortened."""
    return repr(text if len(text) <= _MAX_QUOTED else text[:_MAX_QUOTED] + "…")


def not_found(fabric_id: str) -> CatalogError:
    return CatalogError(
        "NOT_FOUND", f"there is no fabric {quoted(fabric_id)}; GET /api/fabric/catalog lists all fabrics"
    )


def taken_id(fabric_id: str) -> CatalogError:
    return CatalogError("INVALID_INPUT", f"the id {quoted(fabric_id)} is taken; choose another")


def catalog_full(count: int) -> CatalogError:
    return CatalogError("STORAGE", f"{count} fabrics are saved, which is the limit; delete some")
