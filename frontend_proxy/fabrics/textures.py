"""`GET /textures/{file}`: the catalog's files."""

import os
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from catalog import Catalog
from frontend_proxy.errors import NotFound, StorageUnavailable
from frontend_proxy.fabrics.bounded_threads import BoundedThreads
from frontend_proxy.fabrics.catalog_routes import READ_TIMEOUT_S, translated_errors

FOREVER = "public, max-age=31536000, immutable"  # a texture is named after its content


class Textures(StaticFiles):
    """Starlette's file server, on the catalog instead of a folder."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self._catalog = catalog
        self._reads = BoundedThreads("texture-read", 8, READ_TIMEOUT_S)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Raises NotFound, also if only the file is missing, and StorageUnavailable."""
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        file, status = await self._reads.run(self._find, path)
        return self.file_response(file, status, scope)

    def _find(self, path: str) -> tuple[Path, os.stat_result]:
        with translated_errors():
            file = self._catalog.texture(path)
        try:
            return file, os.stat(file)
        except FileNotFoundError as error:
            raise NotFound(f"the texture {path} is missing") from error
        except OSError as error:
            raise StorageUnavailable("the texture cannot be read; try again in a moment") from error

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
