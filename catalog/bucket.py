"""Saved fabrics in a bucket, for proxies that share no folder. It has the methods of `Store`.

    <url>/fabrics/<id>.json      written last, and only if it is new or has not changed since it was read
    <url>/textures/<sha256>.<jpg|png|webp>

Reads come from memory, so a slow or unreachable bucket delays nobody. The catalog's owner calls `refresh`
regularly to update the memory. A bucket has no locks. Writers use conditional writes instead, which S3,
Google's and Azure's buckets support.
"""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError
from obstore.store import from_url

from catalog.document import (
    MAX_DOCUMENT_BYTES,
    RESERVED,
    Contents,
    Maps,
    catalog_full,
    compose,
    describe,
    free_id,
    from_json,
    not_found,
    taken_id,
    to_json,
)
from catalog.errors import CatalogError
from catalog.schema import ID, Fabric, FabricDetails, Role, Texture
from catalog.store import write_atomically

if TYPE_CHECKING:
    from obstore import ObjectMeta, UpdateVersion

log = logging.getLogger(__name__)

GONE = (NotFoundError, FileNotFoundError)
# A texture that no fabric has may belong to a fabric that is being written at this moment.
ORPHAN_S = 3600.0
PARALLEL_READS = 16  # of documents; a thousand would take half a minute one by one
MAX_ATTEMPTS = 20  # of a conditional write that other proxies' writes refuse
REQUEST_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 2.0
LOCK_WAIT_S = 10.0  # for a refresh that another thread has begun


@dataclass(frozen=True)
class _Known:
    """stamp: (path, e_tag) of each fabric's document. contents: what is in them."""

    stamp: tuple[tuple[str, str], ...]
    contents: Contents


class BucketStore:
    """url: what obstore takes (`s3://bucket/prefix`; keys and endpoint are in the environment's AWS_*).
    cache: a folder for textures that were asked for; it may be lost.

    Requests raise CatalogError UNAVAILABLE if the bucket does not answer within `REQUEST_TIMEOUT_S`. Reads
    from memory raise it until the bucket has answered once.
    """

    def __init__(self, url: str, cache: Path, max_fabrics: int | None = None) -> None:
        self._bucket = from_url(
            url,
            client_options={
                "timeout": f"{REQUEST_TIMEOUT_S}s",
                "connect_timeout": f"{CONNECT_TIMEOUT_S}s",
                "allow_http": True,
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=3)},
        )
        self._cache = cache / "textures"
        self._max_fabrics = max_fabrics
        self._known: _Known | None = None
        self._refreshing = Lock()

    def refresh(self) -> None:
        """Read what has changed since the last time, and what could not be read then."""
        if not self._refreshing.acquire(timeout=LOCK_WAIT_S):
            raise unavailable()
        try:
            with bucket_errors():
                self._refresh()
        finally:
            self._refreshing.release()

    def _refresh(self) -> None:
        pages = obstore.list(self._bucket, "fabrics")
        stamp = tuple(sorted((found["path"], str(found["e_tag"])) for page in pages for found in page))
        earlier = self._known or _Known((), Contents({}))
        if self._known is not None and stamp == earlier.stamp and not earlier.contents.unreadable:
            return
        known = set(earlier.stamp)
        new = [it[0] for it in stamp if it not in known or _name(it[0]) in earlier.contents.unreadable]
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            loaded = dict(zip(map(_name, new), pool.map(self._load, new), strict=True))
        fabrics, damaged, unreadable = {}, set(), set()
        for name in (_name(path) for path, _ in stamp):
            found = loaded[name] if name in loaded else earlier.contents.fabrics.get(name)
            if isinstance(found, Fabric):
                fabrics[name] = found
            elif isinstance(found, BaseError):
                unreadable.add(name)
            elif found is None:
                damaged.add(name)
        self._known = _Known(stamp, Contents(fabrics, frozenset(damaged), frozenset(unreadable)))
        self._forget_textures()

    def stamp(self) -> tuple[tuple[str, str], ...]:
        """Changes whenever a fabric is added, replaced or removed."""
        return self._now().stamp

    def read(self) -> Contents:
        """All fabrics. A document that is damaged or cannot be read is logged and left out."""
        return self._now().contents

    def get(self, fabric_id: str) -> Fabric | None:
        return self._now().contents.fabrics.get(fabric_id)

    def texture(self, filename: str) -> Path | None:
        """A file of the cache, fetched if it is missing there; None if the bucket has none."""
        path = self._cache / filename
        with bucket_errors():
            if not path.is_file():
                try:
                    content = bytes(obstore.get(self._bucket, f"textures/{filename}").bytes())
                except GONE:
                    return None
                self._cache.mkdir(parents=True, exist_ok=True)
                write_atomically(path, content)
        return path

    def add(
        self, details: FabricDetails, maps: Maps, taken: frozenset[str], fabric_id: str | None = None
    ) -> Fabric:
        """See `Store.add`. Proxies that write at the same moment may exceed `max_fabrics` by a few."""
        self.refresh()
        own = self.read().fabrics
        if self._max_fabrics is not None and len(own) >= self._max_fabrics:
            raise catalog_full(len(own))
        taken |= frozenset(_name(path) for path, _ in self.stamp()) | RESERVED
        with bucket_errors():
            textures = self._put_textures(maps)
            for _ in range(MAX_ATTEMPTS):
                chosen = fabric_id or free_id(details.name, taken)
                if chosen in taken:
                    raise taken_id(chosen)
                fabric = compose(chosen, details, textures)
                try:
                    obstore.put(self._bucket, _path(chosen), to_json(fabric), mode="create")
                    break
                except AlreadyExistsError:  # another proxy was faster
                    taken |= {chosen}
            else:
                raise busy()
        self._settle(remove=False)
        return fabric

    def replace(self, fabric_id: str, details: FabricDetails, maps: Maps | None) -> Fabric:
        """See `Store.replace`."""
        with bucket_errors():
            textures = None if maps is None else self._put_textures(maps)
            for _ in range(MAX_ATTEMPTS):
                try:
                    found = obstore.get(self._bucket, _path(fabric_id))
                except GONE as error:
                    raise not_found(fabric_id) from error
                old = from_json(bytes(found.bytes()), _path(fabric_id))
                if old is None:
                    raise not_found(fabric_id)
                fabric = compose(fabric_id, details, textures or old.textures)
                try:
                    obstore.put(self._bucket, _path(fabric_id), to_json(fabric), mode=_unchanged(found.meta))
                    break
                except (PreconditionError, *GONE):  # changed or deleted meanwhile: read it again
                    continue
            else:
                raise busy()
        self._settle(remove=textures is not None)
        return fabric

    def delete(self, fabric_id: str) -> None:
        """See `Store.delete`. Textures that are younger than an hour are removed with a later change."""
        with bucket_errors():
            try:
                obstore.head(self._bucket, _path(fabric_id))
            except GONE as error:
                raise not_found(fabric_id) from error
            obstore.delete(self._bucket, _path(fabric_id))
        self._settle(remove=True)

    def _now(self) -> _Known:
        if self._known is None:
            raise CatalogError(
                "UNAVAILABLE", "the saved fabrics have not been read yet; try again in a moment"
            )
        return self._known

    def _load(self, path: str) -> Fabric | BaseError | None:
        """The fabric, None if it is damaged, or the error if it cannot be read."""
        try:
            content = obstore.get(self._bucket, path)
            if content.meta["size"] > MAX_DOCUMENT_BYTES:
                log.error("%s is not a fabric; remove it: it has %d bytes", path, content.meta["size"])
                return None
            return from_json(bytes(content.bytes()), path)
        except BaseError as error:
            log.error("the fabric %s cannot be read and is left out: %s", path, error)
            return error
        except FileNotFoundError as error:  # deleted meanwhile
            return NotFoundError(str(error))

    def _put_textures(self, maps: Maps) -> dict[Role, Texture]:
        """Write the textures, also existing ones: that makes them young, and nobody removes them."""
        textures = describe(maps)
        for role, texture in textures.items():
            obstore.put(self._bucket, f"textures/{texture.filename}", maps[role][0])
        return textures

    def _settle(self, remove: bool) -> None:
        """After a change: update the memory, and `remove` the textures that no fabric has.

        Textures are listed before the fabrics are read, so what a fabric has just begun to use is young.
        The change itself is done: an error here must not report it as failed.
        """
        try:
            with bucket_errors():
                oldest = datetime.now(UTC) - timedelta(seconds=ORPHAN_S)
                pages = obstore.list(self._bucket, "textures") if remove else ()
                found = [it for page in pages for it in page if it["last_modified"] < oldest]
                old = {Path(it["path"]).name: it["path"] for it in found}
                self.refresh()
                if unused := self.read().unused(set(old)):
                    obstore.delete(self._bucket, [old[filename] for filename in unused])
        except CatalogError as error:
            log.warning("the bucket could not be read after a change; the next refresh will: %s", error)

    def _forget_textures(self) -> None:
        """Remove textures from the cache that no fabric has."""
        cached = list(self._cache.iterdir()) if self._cache.is_dir() else []
        unused = self.read().unused({path.name for path in cached})
        for path in cached:
            if path.name in unused and time.time() - path.stat().st_mtime > ORPHAN_S:
                path.unlink(missing_ok=True)


@contextmanager
def bucket_errors() -> Iterator[None]:
    """The bucket's errors, and those of the cache's disk, as CatalogError."""
    try:
        yield
    except BaseError as error:
        raise unavailable() from error
    except OSError as error:  # the cache's disk
        reason = error.strerror or type(error).__name__
        raise CatalogError("STORAGE", f"textures cannot be cached: {reason}") from error


def unavailable() -> CatalogError:
    return CatalogError("UNAVAILABLE", "the saved fabrics cannot be reached; try again in a moment")


def busy() -> CatalogError:
    return CatalogError("UNAVAILABLE", "others change the same fabric at this moment; try again in a moment")


def _unchanged(meta: "ObjectMeta") -> "UpdateVersion":
    """The condition that the document is still the one that was read. obstore takes no None as a version."""
    known = {"e_tag": meta["e_tag"], "version": meta["version"]}
    return {name: value for name, value in known.items() if value is not None}  # type: ignore[return-value]


def _name(path: str) -> str:
    return Path(path).stem


def _path(fabric_id: str) -> str:
    """The document's path. Raises CatalogError NOT_FOUND for a text that cannot be an id."""
    if not ID.fullmatch(fabric_id):
        raise not_found(fabric_id)
    return f"fabrics/{fabric_id}.json"
