"""`/studio`: the browser page that shows all of it: try on, captures, fabrics, the server itself."""

import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from frontend_proxy.routing import resource

FOLDER = Path(__file__).parent / "studio"
BINARY = {".binarypb", ".data", ".tflite"}  # no registered media type; Starlette would call them text
HEADERS = {
    "Cache-Control": "no-cache",  # asked for anew each time, and answered with 304: no page of two versions
    # MediaPipe compiles WebAssembly. Styles are set by scripts, so no inline ones are allowed.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' data: blob:; "
        "worker-src 'self' blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


def routes() -> list[BaseRoute]:
    return [resource("/studio", GET=_page), Mount("/studio", _Files(directory=FOLDER))]


async def _page(request: Request) -> Response:
    return FileResponse(FOLDER / "index.html", headers=HEADERS)


class _Files(StaticFiles):
    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = HEADERS["Cache-Control"]
        if Path(full_path).suffix in BINARY:
            response.headers["Content-Type"] = "application/octet-stream"
        return response
