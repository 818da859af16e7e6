"""Fabrics over HTTP: the catalog, and each of its fabrics."""

import asyncio
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from catalog import Catalog, CatalogError, Fabric, FabricDetails
from fabric import FabricError
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
from frontend_proxy.schemas import validate
from frontend_proxy.settings import Settings
from frontend_proxy.web.body import read_object

logger = logging.getLogger(__name__)

# A map's name in `fabric` and `catalog`, and the wire contract's.
URL_FIELDS = {
    "diffuse": "diffuseUrl",
    "normal": "normalUrl",
    "roughness_map": "roughnessUrl",
    "ao": "aoUrl",
    "height": "heightUrl",
    "orm": "ormUrl",
    "thumbnail": "thumbnail",
}
MAX_DETAILS_BYTES = 2**16
REFRESH_S = 5.0  # a bucket asks money for each look

# What the catalog says of a fabric and its owner cannot write.
_READ_ONLY = (
    Fabric.model_fields.keys() - FabricDetails.model_fields.keys() | Fabric.model_computed_fields.keys()
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
    """What `fabric` and `catalog` refuse, as the proxy's errors."""
    try:
        yield
    except (FabricError, CatalogError) as error:
        raise _ERRORS[error.code](str(error)) from error


class Fabrics:
    """Plain methods run in Starlette's threads: the catalog reads and writes files."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._settings = settings
        self._catalog = catalog

    def list(self, request: Request) -> Response:
        """`GET /api/fabric/catalog?tag=&text=`: the fabrics that have the tag and every word of the text."""
        tag, text = request.query_params.get("tag"), request.query_params.get("text")
        with translated_errors():
            # It is read first: a fabric that is added meanwhile makes the ETag stale, never the list.
            version = self._catalog.version
        content = repr((version, self.base_url(request), tag, text))
        etag = f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if _is_named(etag, request.headers.get("If-None-Match", "")):
            return Response(status_code=304, headers=headers)
        fabrics = [self.entry(request, fabric) for fabric in self._catalog.list(tag, text)]
        return JSONResponse({"success": True, "fabrics": fabrics, "count": len(fabrics)}, headers=headers)

    def show(self, request: Request) -> Response:
        """`GET /api/fabric/{id}`. Raises NotFound."""
        fabric_id = request.path_params["id"]
        with translated_errors():
            fabric = self._catalog.get(fabric_id)
        if fabric is None:
            raise NotFound(f"there is no fabric {fabric_id!r}; GET /api/fabric/catalog lists those there are")
        return JSONResponse({"success": True, "fabric": self.entry(request, fabric)})

    async def replace(self, request: Request) -> Response:
        """`PUT /api/fabric/{id}`: a `FabricDetails` in, the fabric out; its textures stay.

        What `show` answers can be changed and sent back: fields that are not the owner's are passed over.

        Raises BodyTooLarge, InvalidInput, NotFound, ReadOnly, InsufficientStorage.
        """
        fields = await read_object(request, MAX_DETAILS_BYTES)
        written = {name: value for name, value in fields.items() if name not in _READ_ONLY}
        details = validate(FabricDetails, written)
        with translated_errors():
            fabric = await asyncio.to_thread(self._catalog.replace, request.path_params["id"], details)
        return JSONResponse({"success": True, "fabric": self.entry(request, fabric)})

    def delete(self, request: Request) -> Response:
        """`DELETE /api/fabric/{id}`. Raises NotFound, ReadOnly, InsufficientStorage."""
        fabric_id = request.path_params["id"]
        with translated_errors():
            self._catalog.delete(fabric_id)
        return JSONResponse({"success": True, "fabric_id": fabric_id})

    async def keep_fresh(self) -> None:
        """What other proxies save in the bucket is listed here, too. Runs until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self._catalog.refresh)
            except CatalogError as error:
                logger.warning("the catalog stays as it was: %s", error.__cause__ or error)
            await asyncio.sleep(REFRESH_S)

    def base_url(self, request: Request) -> str:
        """What the texture URLs begin with."""
        return (self._settings.public_url or str(request.base_url)).rstrip("/")

    def entry(self, request: Request, fabric: Fabric) -> dict[str, Any]:
        """The fabric for the client; its URLs are absolute, as they go straight into a texture loader."""
        entry = fabric.model_dump(mode="json", exclude_none=True)
        base = self.base_url(request)
        return entry | {field: base + entry[field] for field in URL_FIELDS.values() if field in entry}


def _is_named(etag: str, if_none_match: str) -> bool:
    """RFC 9110, section 13.1.2: a list of tags, compared weakly, or `*`."""
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in tags or "*" in tags
