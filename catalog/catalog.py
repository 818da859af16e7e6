"""The fabrics a client may choose from: those that ship with the house, and the owner's."""

import hashlib
import json
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import CatalogError
from catalog.schema import Fabric, FabricDetails
from catalog.store import Maps, Store, not_found

if TYPE_CHECKING:
    from catalog.bucket import BucketStore

HERE = Path(__file__).parent
BUILT_IN = HERE / "catalog.json"
BUILT_IN_TEXTURES = HERE / "textures"

_TEXTURE = re.compile(r"[0-9a-f]{64}\.(jpg|png|webp)")


def read_built_in(path: Path = BUILT_IN) -> dict[str, Fabric]:
    """The built-in fabrics by id. Raises ValidationError (a ValueError) if the file is damaged."""
    return {
        fabric.id: fabric for fabric in map(Fabric.model_validate, json.loads(path.read_bytes())["fabrics"])
    }


class Catalog:
    """Built-in fabrics (read-only) and own fabrics, which live in the folder `own`.

    Thread-safe, and safe beside other processes on the same folder: what one writes the others list at
    once. Without `own` there are only the built-in ones, and `add` is refused, as it is for more than
    `max_own` fabrics. What changes a fabric raises CatalogError STORAGE where the folder cannot be written.

    With a `url`, of a bucket, own fabrics live there and `own` is a cache of their textures. Others list what
    one writes once they `refresh`. What asks for own fabrics then raises CatalogError UNAVAILABLE too.
    """

    def __init__(self, own: Path | None = None, max_own: int | None = None, url: str | None = None) -> None:
        self.built_in = read_built_in()
        self._own = _store(own, max_own, url) if own else None
        self._lock = threading.Lock()
        self._stamp: object = None
        self._fabrics: dict[str, Fabric] = {}
        self._version = ""

    def list(self, tag: str | None = None, text: str | None = None) -> list[Fabric]:
        """The fabrics that have `tag` and hold every word of `text`; without either, all of them.

        Case does not matter; words are looked for in id, name, description, tags, fibre and weave.
        """
        words = (text or "").casefold().split()
        wanted = (tag or "").strip().casefold()
        return [
            fabric
            for fabric in self._current()[0].values()
            if (not wanted or wanted in fabric.tags) and all(word in _text(fabric) for word in words)
        ]

    def get(self, fabric_id: str) -> Fabric | None:
        """The fabric, or None for an id that is not there: clients send ids of their own making.

        Takes as long with a thousand own fabrics as with one.
        """
        if fabric := self.built_in.get(fabric_id):
            return fabric
        return self._own.get(fabric_id) if self._own else None

    @property
    def version(self) -> str:
        """A hash of every fabric's content, for an ETag."""
        return self._current()[1]

    def texture(self, filename: str) -> Path:
        """The file behind `/textures/<filename>`. Raises CatalogError NOT_FOUND for any other name."""
        if _TEXTURE.fullmatch(filename):
            if (BUILT_IN_TEXTURES / filename).is_file():
                return BUILT_IN_TEXTURES / filename
            if self._own and (path := self._own.texture(filename)):
                return path
        raise CatalogError("NOT_FOUND", f"there is no texture {filename!r}")

    def add(self, details: FabricDetails, maps: Maps) -> Fabric:
        """Add an own fabric; its id comes from its name.

        maps: role (`diffuse`, `normal`, `roughness_map`, `thumbnail`; optional `ao`, `height`, `orm`)
            to (compressed bytes, media type).
        Raises CatalogError: INVALID_INPUT for maps that do not do, READ_ONLY without an own folder,
        STORAGE.
        """
        return self._writable().add(details, maps, frozenset(self.built_in))

    def replace(self, fabric_id: str, details: FabricDetails, maps: Maps | None = None) -> Fabric:
        """Give an own fabric other details, and other textures unless `maps` is None.

        Raises CatalogError: NOT_FOUND, READ_ONLY for a built-in fabric, INVALID_INPUT.
        """
        return self._writable(fabric_id).replace(fabric_id, details, maps)

    def delete(self, fabric_id: str) -> None:
        """Remove an own fabric. Raises CatalogError: NOT_FOUND, READ_ONLY for a built-in one."""
        self._writable(fabric_id).delete(fabric_id)

    def refresh(self) -> None:
        """Look into the bucket, if it is one, for what other processes have written."""
        if self._own:
            self._own.refresh()

    def _writable(self, fabric_id: str | None = None) -> "Store | BucketStore":
        if fabric_id in self.built_in:
            raise CatalogError("READ_ONLY", f"{fabric_id!r} is built in; save a copy under another name")
        if self._own is None:
            if fabric_id is not None:
                raise not_found(fabric_id)
            raise CatalogError("READ_ONLY", "no folder for own fabrics is set; set CATALOG_DIR to keep them")
        return self._own

    def _current(self) -> tuple[dict[str, Fabric], str]:
        """All fabrics and their version, read again only when the own folder has changed."""
        stamp = self._own.stamp() if self._own else ()
        with self._lock:
            if stamp != self._stamp:
                self._fabrics = {**(self._own.read() if self._own and stamp else {}), **self.built_in}
                self._version = _hash(self._fabrics)
                self._stamp = stamp
            return self._fabrics, self._version


def _store(folder: Path, most: int | None, url: str | None) -> "Store | BucketStore":
    """obstore is imported with a URL, and not without."""
    if url is None:
        return Store(folder, most)
    from catalog.bucket import BucketStore

    return BucketStore(url, folder, most)


def _hash(fabrics: dict[str, Fabric]) -> str:
    return hashlib.sha256("\n".join(f.model_dump_json() for f in fabrics.values()).encode()).hexdigest()[:32]


def _text(fabric: Fabric) -> str:
    parts = (fabric.id, fabric.name, fabric.description, *fabric.tags, fabric.fibre, fabric.weave)
    return " ".join(part for part in parts if part).casefold()
