"""Fabrics: the catalog, its textures, and a photo turned into a new material."""

import os
import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from catalog import Catalog, CatalogError
from fabric import FabricError, ScanOptions, scan
from frontend_proxy.body import read_object
from frontend_proxy.errors import ImageTooLarge, InvalidInput, ProxyError, UndecodableImage
from frontend_proxy.images import to_data_uri
from frontend_proxy.schemas import ScanRequest, validate
from frontend_proxy.settings import Settings
from frontend_proxy.worker import Worker

URL_FIELDS = ("diffuseUrl", "normalUrl", "roughnessUrl", "aoUrl", "heightUrl", "ormUrl", "thumbnail")
FOREVER = "public, max-age=31536000, immutable"  # a texture is named after its content

_SCAN_ERRORS: dict[str, type[ProxyError]] = {
    "IMAGE_DECODE": UndecodableImage,
    "INVALID_INPUT": InvalidInput,
    "TOO_LARGE": ImageTooLarge,
}


class Fabrics:
    def __init__(self, settings: Settings, catalog: Catalog, worker: Worker) -> None:
        self._settings = settings
        self._catalog = catalog
        self._worker = worker

    async def catalog(self, request: Request) -> Response:
        """`GET /api/fabric/catalog`; texture URLs are absolute, as they go straight into a texture loader."""
        base = (self._settings.public_url or str(request.base_url)).rstrip("/")
        fabrics = [fabric.model_dump(mode="json", exclude_none=True) for fabric in self._catalog.list()]
        for fabric in fabrics:
            fabric.update({field: base + fabric[field] for field in URL_FIELDS if field in fabric})
        return JSONResponse({"success": True, "fabrics": fabrics, "count": len(fabrics)})

    async def scan(self, request: Request) -> Response:
        """`POST /api/fabric/scan`: a `ScanRequest` in, the material's maps as data URIs out.

        Raises BodyTooLarge, InvalidInput, UndecodableImage, ImageTooLarge, Overloaded.
        """
        photo = validate(ScanRequest, await read_object(request, self._settings.max_message_bytes)).image
        if len(photo) > self._settings.max_image_bytes:
            raise ImageTooLarge(
                f"image: has {len(photo)} bytes; send at most {self._settings.max_image_bytes}"
            )
        try:
            material = await self._worker.run(scan, photo, ScanOptions())
        except FabricError as error:
            raise _SCAN_ERRORS[error.code](str(error)) from error
        maps = {
            "diffuseUrl": material.diffuse,
            "normalUrl": material.normal,
            "roughnessUrl": material.roughness_map,
            "thumbnail": material.thumbnail,
        }
        return JSONResponse(
            {
                "success": True,
                "fabric_id": f"custom-{uuid.uuid4()}",
                **{name: to_data_uri(image.data, image.media_type) for name, image in maps.items()},
                "roughness": material.roughness,
                "metalness": material.metalness,
                "material": material.material,
                "quality": material.quality,
            }
        )


class Textures(StaticFiles):
    """`GET /textures/{file}`: the catalog's files."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self._catalog = catalog

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        try:
            file = self._catalog.texture(path)
            return str(file), os.stat(file)
        except (CatalogError, FileNotFoundError):
            return "", None

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = FOREVER
        return response
