"""The fabrics a client may choose from: those that ship with the server, and those that were saved."""

import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.document import Maps, not_found, quoted
from catalog.errors import CatalogError
from catalog.schema import Fabric, FabricDetails
from catalog.search import SearchIndex
from catalog.store import Store

if TYPE_CHECKING:
    from catalog.bucket import BucketStore

HERE = Path(__file__).parent
BUILT_IN = HERE / "catalog.json"
BUILT_IN_TEXTURES = HERE / "textures"
RETRY_S = 5.0  # before files that could not be read are read again

_TEXTURE = re.compile(r"[0-9a-f]{64}\.(jpg|png|webp)")


def read_built_in(path: Path = BUILT_IN) -> dict[str, Fabric]:
    """The built-in fabrics by id. Raises ValidationError (a ValueError) if the file is damaged."""
    return {
        fabric.id: fabric for fabric in map(Fabric.model_validate, json.loads(path.read_bytes())["fabrics"])
    }


@dataclass(frozen=True)
class _Loaded:
    """All fabrics as read. stamp: the store's. retry_at: when to read again whatever the stamp is."""

    stamp: object
    retry_at: float
    index: SearchIndex
    version: str


class Catalog:
    """Built-in fabrics (read-only) and own fabrics, which are saved in the folder `own`.

    Thread-safe, and safe beside other processes on the same folder: what one process writes the others list
    at once. Without `own` there are only the built-in fabrics, and `add` is refused, as it is for more than
    `max_own` fabrics. A change raises CatalogError STORAGE if the folder cannot be written.

    With the `url` of a bucket, own fabrics are saved there, and `own` is a cache of their textures. What one
    process writes the others list after their next `refresh`.

    Reading own fabrics raises CatalogError UNAVAILABLE if the folder or bucket cannot be read. A single file
    that cannot be read is left out of the list.
    """

    def __init__(self, own: Path | None = None, max_own: int | None = None, url: str | None = None) -> None:
        self.built_in = read_built_in()
        self._own = _store(own, max_own, url) if own else None
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def list(self, tag: str | None = None, text: str | None = None) -> list[Fabric]:
        """The fabrics that have `tag` and contain every word of `text`; without either, all of them.

        Case does not matter; the search covers id, name, description, tags, fibre and weave.
        Raises CatalogError INVALID_INPUT for more or longer words than a search may have.
        """
        return self._current().index.find(tag, text)

    def get(self, fabric_id: str) -> Fabric | None:
        """The fabric, or None for an unknown id: clients also send ids that only they know.

        Takes as long with a thousand own fabrics as with one.
        """
        if fabric := self.built_in.get(fabric_id):
            return fabric
        return self._own.get(fabric_id) if self._own else None

    @property
    def version(self) -> str:
        """A hash of every fabric's content, for an ETag."""
        return self._current().version

    def texture(self, filename: str) -> Path:
        """The file behind `/textures/<filename>`. Raises CatalogError NOT_FOUND for any other name."""
        if _TEXTURE.fullmatch(filename):
            if (BUILT_IN_TEXTURES / filename).is_file():
                return BUILT_IN_TEXTURES / filename
            if self._own and (path := self._own.texture(filename)):
                return path
        raise CatalogError("NOT_FOUND", f"there is no texture {quoted(filename)}")

    def add(self, details: FabricDetails, maps: Maps) -> Fabric:
        """Add an own fabric; its id comes from its name.

        maps: role (`diffuse`, `normal`, `roughness_map`, `thumbnail`; optional `ao`, `height`, `orm`,
            `alpha`) to (compressed bytes, media type).
        Raises CatalogError: INVALID_INPUT for missing or unknown maps, READ_ONLY without an own folder,
        STORAGE.
        """
        return self._writable().add(details, maps, frozenset(self.built_in))

    def replace(self, fabric_id: str, details: FabricDetails, maps: Maps | None = None) -> Fabric:
        """Give an own fabric other details, and other textures unless `maps` is None.

        Raises CatalogError: NOT_FOUND, READ_ONLY for a built-in fabric, INVALID_INPUT, STORAGE.
        """
        return self._writable(fabric_id).replace(fabric_id, details, maps)

    def delete(self, fabric_id: str) -> None:
        """Remove an own fabric. Raises CatalogError: NOT_FOUND, READ_ONLY for a built-in one, STORAGE."""
        self._writable(fabric_id).delete(fabric_id)

    def refresh(self) -> None:
        """Read from the bucket, if there is one, what other processes have written."""
        if self._own:
            self._own.refresh()

    def _writable(self, fabric_id: str | None = None) -> "Store | BucketStore":
        if fabric_id in self.built_in:
            raise CatalogError(
                "READ_ONLY",
                f"{fabric_id!r} is built in and cannot be changed; save a copy under another name",
            )
        if self._own is None:
            if fabric_id is not None:
                raise not_found(fabric_id)
            raise CatalogError(
                "READ_ONLY", "there is no folder for own fabrics; set CATALOG_DIR to save them"
            )
        return self._own

    def _current(self) -> _Loaded:
        """All fabrics, read again only after the store has changed, or could not read some of them."""
        stamp = self._own.stamp() if self._own else ()
        with self._lock:
            loaded = self._loaded
            if loaded is None or stamp != loaded.stamp or time.monotonic() >= loaded.retry_at:
                loaded = self._loaded = self._load(stamp)
            return loaded

    def _load(self, stamp: object) -> _Loaded:
        contents = self._own.read() if self._own and stamp else None
        fabrics = {**(contents.fabrics if contents else {}), **self.built_in}
        unreadable = contents is not None and contents.unreadable
        return _Loaded(
            stamp,
            time.monotonic() + RETRY_S if unreadable else float("inf"),
            SearchIndex(fabrics.values()),
            _hash(fabrics),
        )


def _store(folder: Path, max_fabrics: int | None, url: str | None) -> "Store | BucketStore":
    """obstore, an optional dependency, is imported only for a URL."""
    if url is None:
        return Store(folder, max_fabrics)
    from catalog.bucket import BucketStore

    return BucketStore(url, folder, max_fabrics)


def _hash(fabrics: dict[str, Fabric]) -> str:
    return hashlib.sha256("\n".join(f.model_dump_json() for f in fabrics.values()).encode()).hexdigest()[:32]
