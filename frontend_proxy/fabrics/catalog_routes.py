"""The catalog over HTTP: its list, and each fabric."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from catalog import Catalog, CatalogError, Fabric, FabricDetails
from catalog.document import not_found
from fabric import FabricError
from fabric.drape import DRAPES
from frontend_proxy.answer_schemas import URL_FIELDS
from frontend_proxy.errors import (
    ImageTooLarge,
    InsufficientStorage,
    InvalidInput,
    NotFound,
    ProxyError,
    ReadOnly,
    StorageUnavailable,
    UndecodableImage,
)
from frontend_proxy.fabrics.bounded_threads import BoundedThreads
from frontend_proxy.schemas import validate
from frontend_proxy.settings import Settings
from frontend_proxy.web.body import read_object
from frontend_proxy.web.etag import is_kept, kept_headers

logger = logging.getLogger(__name__)

MAX_DETAILS_BYTES = 2**16
REFRESH_S = 5.0  # between two requests to a bucket, which cost money
READ_TIMEOUT_S = 10.0
CHANGE_TIMEOUT_S = 20.0  # several requests to a bucket, each with a time-out of its own

# Fields of a fabric that its owner cannot write.
_READ_ONLY = (
    Fabric.model_fields.keys() - FabricDetails.model_fields.keys()
    | Fabric.model_computed_fields.keys()
    | {"drape_ranges"}
)

_ERRORS: dict[str, type[ProxyError]] = {
    "IMAGE_DECODE": UndecodableImage,
    "INVALID_INPUT": InvalidInput,
    "NOT_FOUND": NotFound,
    "READ_ONLY": ReadOnly,
    "STORAGE": InsufficientStorage,
    "UNAVAILABLE": StorageUnavailable,
    "TOO_LARGE": ImageTooLarge,
}


@contextmanager
def translated_errors() -> Iterator[None]:
    """Errors of `fabric` and `catalog` as the proxy's errors."""
    try:
        yield
    except (FabricError, CatalogError) as error:
        raise _ERRORS[error.code](str(error)) from error


class Fabrics:
    """The catalog reads and writes files, or a bucket: in threads of its own, for reading and for changes."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._settings = settings
        self._catalog = catalog
        self.reads = BoundedThreads("catalog-read", 8, READ_TIMEOUT_S)
        self.changes = BoundedThreads("catalog-change", 4, CHANGE_TIMEOUT_S)
        self._refreshes = BoundedThreads("catalog-refresh", 1, CHANGE_TIMEOUT_S)

    async def list(self, request: Request) -> Response:
        """`GET /api/fabric/catalog?tag=&text=`: the fabrics that have the tag and every word of the text.

        Raises InvalidInput for too long a search, StorageUnavailable.
        """
        return await self.reads.run(self._list, request)

    def _list(self, request: Request) -> Response:
        tag, text = request.query_params.get("tag"), request.query_params.get("text")
        with translated_errors():
            # The version comes first: if a fabric is added meanwhile, the ETag is too old, never the list.
            version = self._catalog.version
            fabrics = self._catalog.list(tag, text)
        headers = kept_headers(version, self.base_url(request), tag, text)
        if is_kept(request, headers):
            return Response(status_code=304, headers=headers)
        entries = [self.entry(request, fabric) for fabric in fabrics]
        return JSONResponse({"success": True, "fabrics": entries, "count": len(entries)}, headers=headers)

    async def show(self, request: Request) -> Response:
        """`GET /api/fabric/{id}`. Raises NotFound, StorageUnavailable."""
        fabric_id = request.path_params["id"]
        with translated_errors():
            fabric = await self.reads.run(self._catalog.get, fabric_id)
            if fabric is None:
                raise not_found(fabric_id)
        return JSONResponse({"success": True, "fabric": self.entry(request, fabric)})

    async def replace(self, request: Request) -> Response:
        """`PUT /api/fabric/{id}`: takes `FabricDetails`, answers with the fabric. Its textures stay.

        A client may change what `show` answered and send it back: fields that it cannot write are ignored.

        Raises BodyTooLarge, InvalidInput, NotFound, ReadOnly, InsufficientStorage, StorageUnavailable.
        """
        fields = await read_object(request, MAX_DETAILS_BYTES)
        written = {name: value for name, value in fields.items() if name not in _READ_ONLY}
        details = validate(FabricDetails, written)
        with translated_errors():
            fabric = await self.changes.run(self._catalog.replace, request.path_params["id"], details)
        return JSONResponse({"success": True, "fabric": self.entry(request, fabric)})

    async def delete(self, request: Request) -> Response:
        """`DELETE /api/fabric/{id}`. Raises NotFound, ReadOnly, InsufficientStorage, StorageUnavailable."""
        fabric_id = request.path_params["id"]
        with translated_errors():
            await self.changes.run(self._catalog.delete, fabric_id)
        return JSONResponse({"success": True, "fabric_id": fabric_id})

    async def keep_fresh(self) -> None:
        """Read again and again what other proxies have saved in the bucket. Runs until cancelled."""
        while True:
            try:
                await self._refreshes.run(self._catalog.refresh)
            except (CatalogError, StorageUnavailable) as error:
                logger.warning("the catalog was not refreshed: %s", error.__cause__ or error)
            await asyncio.sleep(REFRESH_S)

    def base_url(self, request: Request) -> str:
        """The beginning of the texture URLs."""
        return (self._settings.public_url or str(request.base_url)).rstrip("/")

    def entry(self, request: Request, fabric: Fabric) -> dict[str, Any]:
        """The fabric for the client. Its URLs are absolute, since clients pass them to a texture loader."""
        entry = drape_of(fabric) | fabric.model_dump(mode="json", exclude_none=True)
        base = self.base_url(request)
        return entry | {field: base + entry[field] for field in URL_FIELDS.values() if field in entry}


def drape_of(fabric: Fabric) -> dict[str, Any]:
    """The values for a simulation of drape that the class of the fabric has, and their ranges.

    Fabrics that were saved before there was a class have it among their tags.
    """
    named = (fabric.fabric_class or "", *fabric.tags)
    known = next((name for name in named if name in DRAPES), "cloth")
    return {"fabric_class": known, **DRAPES[known].values, "drape_ranges": DRAPES[known].ranges}
