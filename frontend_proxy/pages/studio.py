"""`/studio`: the browser page for live try-on, captures, fabrics and the state of the server."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from frontend_proxy.web.routing import resource

FOLDER = Path(__file__).parents[1] / "studio"
PAGE = "index.html"
WORKER = "pose_worker.js"  # a worker has the policy of its own response, not of the page
BINARY = {".binarypb", ".data", ".tflite"}  # without a registered media type; Starlette would say text


def policies(public_url: str | None) -> dict[str, str]:
    """The page's headers. public_url: the base URL of textures and results, if it is not the page's own."""
    origin = f" {urlsplit(public_url).scheme}://{urlsplit(public_url).netloc}" if public_url else ""
    # MediaPipe compiles WebAssembly. No inline scripts or styles: scripts set styles through the CSSOM.
    return {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
            f"img-src 'self' data: blob:{origin}; media-src 'self' blob:; "
            f"connect-src 'self' data: blob:{origin}; "
            "worker-src 'self' blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    }


def routes(public_url: str | None) -> list[BaseRoute]:
    files = _Files(policies(public_url))

    async def page(request: Request) -> Response:
        return await files.get_response(PAGE, request.scope)

    return [resource("/studio", GET=page), Mount("/studio", files)]


class _Files(StaticFiles):
    """Starlette's file server. Browsers revalidate each file, so that a page never mixes two versions."""

    def __init__(self, policies: dict[str, str]):
        super().__init__(directory=FOLDER)
        self._policies = policies

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        path = Path(full_path)
        if path.name in (PAGE, WORKER):
            response.headers.update(self._policies)
        elif path.suffix in BINARY and "Content-Type" in response.headers:
            response.headers["Content-Type"] = "application/octet-stream"
        return response
