"""`GET /textures/{file}`: the catalog's files."""

import os

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from catalog import Catalog
from frontend_proxy.errors import NotFound
from frontend_proxy.fabrics.catalog_routes import translated_errors

FOREVER = "public, max-age=31536000, immutable"  # a texture is named after its content


class Textures(StaticFiles):
    """Starlette's file server, which looks into the catalog in place of a folder."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self._catalog = catalog

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        try:
            with translated_errors():
                file = self._catalog.texture(path)
            return str(file), os.stat(file)
        except (NotFound, FileNotFoundError):
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
