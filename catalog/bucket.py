"""Saved fabrics in a bucket, for proxies that share no folder: what `Store` is for a folder.

    <url>/fabrics/<id>.json      written last, and only if it is not there, or is still what was read
    <url>/textures/<sha256>.<jpg|png|webp>

What is read comes from memory, so a bucket that is slow or away holds nobody up: `refresh`, which whoever
owns the catalog calls again and again, brings it up to date. Writers take no lock, since a bucket has none:
they need one that refuses a write on condition, as S3's, Google's and Azure's do.
"""

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

from catalog.errors import CatalogError
from catalog.schema import ID, Fabric, FabricDetails, Role, Texture
from catalog.store import (
    RESERVED,
    Maps,
    compose,
    describe,
    document,
    free_id,
    not_found,
    parse,
    write_whole,
)

if TYPE_CHECKING:
    from obstore import ObjectMeta, UpdateVersion

GONE = (NotFoundError, FileNotFoundError)
# A texture that no fabric has may be one whose fabric is just being written.
ORPHAN_S = 3600.0
AT_ONCE = 16  # documents that are read; a thousand would take half a minute one by one


@dataclass(frozen=True)
class _Known:
    """stamp: (path, e_tag) of each fabric's document."""

    stamp: tuple[tuple[str, str], ...]
    fabrics: dict[str, Fabric]


class BucketStore:
    """url: what obstore takes (`s3://bucket/prefix`; keys and endpoint are in the environment's AWS_*).
    cache: a folder for textures that were asked for; it may be lost.

    Everything raises CatalogError UNAVAILABLE where the bucket does not answer within some seconds; what only
    reads memory, until it has answered once.
    """

    def __init__(self, url: str, cache: Path, max_fabrics: int | None = None) -> None:
        self._bucket = from_url(
            url,
            client_options={"timeout": "5s", "connect_timeout": "2s", "allow_http": True},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=3)},
        )
        self._cache = cache / "textures"
        self._max_fabrics = max_fabrics
        self._known: _Known | None = None
        self._refreshing = Lock()

    def refresh(self) -> None:
        """Read what has changed since the last time."""
        with self._refreshing, bucket_errors():
            earlier = self._known or _Known((), {})
            pages = obstore.list(self._bucket, "fabrics")
            stamp = tuple(sorted((found["path"], str(found["e_tag"])) for page in pages for found in page))
            if self._known is None or stamp != earlier.stamp:
                new = [path for path, _ in set(stamp) - set(earlier.stamp)]
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    loaded = dict(zip(new, pool.map(self._load, new), strict=True))
                by_id = {
                    (name := Path(path).stem): loaded[path] if path in loaded else earlier.fabrics.get(name)
                    for path, _ in stamp
                }
                self._known = _Known(stamp, {name: fabric for name, fabric in by_id.items() if fabric})
                self._forget_textures()

    def stamp(self) -> tuple[tuple[str, str], ...]:
        """Changes whenever a fabric is added, replaced or removed."""
        return self._now().stamp

    def read(self) -> dict[str, Fabric]:
        """All fabrics by id, in the order of their ids; a document damaged by hand is logged and left out."""
        return self._now().fabrics

    def get(self, fabric_id: str) -> Fabric | None:
        return self._now().fabrics.get(fabric_id)

    def texture(self, filename: str) -> Path | None:
        """A file of the cache, fetched where it is not there yet; None where the bucket has none."""
        path = self._cache / filename
        if not path.is_file():
            with bucket_errors():
                try:
                    content = bytes(obstore.get(self._bucket, f"textures/{filename}").bytes())
                except GONE:
                    return None
                self._cache.mkdir(parents=True, exist_ok=True)
                write_whole(path, content)
        return path

    def add(
        self, details: FabricDetails, maps: Maps, taken: frozenset[str], fabric_id: str | None = None
    ) -> Fabric:
        """See `Store.add`; proxies that write at once may go over `max_fabrics` by some."""
        self.refresh()
        own = self.read()
        if self._max_fabrics is not None and len(own) >= self._max_fabrics:
            raise CatalogError("STORAGE", f"{len(own)} fabrics are saved, all there may be; delete some")
        taken |= frozenset(own) | RESERVED
        with bucket_errors():
            textures = self._put_textures(maps)
            while True:
                chosen = fabric_id or free_id(details.name, taken)
                if chosen in taken:
                    raise CatalogError("INVALID_INPUT", f"the id {chosen!r} is taken; choose another")
                fabric = compose(chosen, details, textures)
                try:
                    obstore.put(self._bucket, _path(chosen), document(fabric), mode="create")
                    break
                except AlreadyExistsError:  # another proxy was faster
                    taken |= {chosen}
        self.refresh()
        return fabric

    def replace(self, fabric_id: str, details: FabricDetails, maps: Maps | None) -> Fabric:
        """See `Store.replace`."""
        with bucket_errors():
            textures = None if maps is None else self._put_textures(maps)
            while True:
                try:
                    found = obstore.get(self._bucket, _path(fabric_id))
                except GONE as error:
                    raise not_found(fabric_id) from error
                old = parse(bytes(found.bytes()), _path(fabric_id))
                if old is None:
                    raise not_found(fabric_id)
                fabric = compose(fabric_id, details, textures or old.textures)
                try:
                    obstore.put(self._bucket, _path(fabric_id), document(fabric), mode=_unchanged(found.meta))
                    break
                except (PreconditionError, *GONE):  # it was changed or deleted meanwhile: look again
                    continue
        self._settle(remove=textures is not None)
        return fabric

    def delete(self, fabric_id: str) -> None:
        """See `Store.delete`; textures that are younger than an hour go with a later one."""
        with bucket_errors():
            try:
                obstore.head(self._bucket, _path(fabric_id))
            except GONE as error:
                raise not_found(fabric_id) from error
            obstore.delete(self._bucket, _path(fabric_id))
        self._settle(remove=True)

    def _now(self) -> _Known:
        if self._known is None:
            raise CatalogError("UNAVAILABLE", "the saved fabrics were not read yet; try again in a moment")
        return self._known

    def _load(self, path: str) -> Fabric | None:
        try:
            return parse(bytes(obstore.get(self._bucket, path).bytes()), path)
        except GONE:  # deleted meanwhile
            return None

    def _put_textures(self, maps: Maps) -> dict[Role, Texture]:
        """Also those that are there already: then they are young, and nobody removes them."""
        textures = describe(maps)
        for role, texture in textures.items():
            obstore.put(self._bucket, f"textures/{texture.filename}", maps[role][0])
        return textures

    def _settle(self, remove: bool) -> None:
        """After a change: know of it, and `remove` the textures that no fabric has.

        They are listed before the fabrics are read, so what a fabric has just begun to use is young.
        """
        with bucket_errors():
            oldest = datetime.now(UTC) - timedelta(seconds=ORPHAN_S)
            pages = obstore.list(self._bucket, "textures") if remove else ()
            old = [it["path"] for page in pages for it in page if it["last_modified"] < oldest]
            self.refresh()
            used = self._used()
            if unused := [path for path in old if Path(path).name not in used]:
                obstore.delete(self._bucket, unused)

    def _used(self) -> set[str]:
        return {texture.filename for it in self.read().values() for texture in it.textures.values()}

    def _forget_textures(self) -> None:
        used = self._used()
        for path in self._cache.iterdir() if self._cache.is_dir() else ():
            if path.name not in used and time.time() - path.stat().st_mtime > ORPHAN_S:
                path.unlink(missing_ok=True)


@contextmanager
def bucket_errors() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        raise CatalogError(
            "UNAVAILABLE", "the saved fabrics cannot be reached; try again in a moment"
        ) from error
    except OSError as error:  # the cache's disk
        raise CatalogError("STORAGE", f"textures cannot be kept: {error.strerror}") from error


def _unchanged(meta: "ObjectMeta") -> "UpdateVersion":
    """The condition that what was read is still there. S3 tells no version, and obstore wants no None."""
    known = {"e_tag": meta["e_tag"], "version": meta["version"]}
    return {name: value for name, value in known.items() if value is not None}  # type: ignore[return-value]


def _path(fabric_id: str) -> str:
    """Raises CatalogError NOT_FOUND for what can be no id."""
    if not ID.fullmatch(fabric_id):
        raise not_found(fabric_id)
    return f"fabrics/{fabric_id}.json"
