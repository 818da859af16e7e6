"""`/docs`, `/redoc`, `/docs/websocket`: pages that show the API; nothing is loaded from a CDN."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from frontend_proxy.pages.asyncapi import AsyncApi
from frontend_proxy.pages.openapi import OpenApi
from frontend_proxy.web.routing import Handler, resource

PAGES = Path(__file__).parent


def routes(keys_required: bool, max_steps: int) -> list[BaseRoute]:
    return [
        resource("/openapi.json", GET=OpenApi(keys_required, max_steps).show),
        resource("/asyncapi.json", GET=AsyncApi().show),
        resource("/docs", GET=_page("docs.html")),
        resource("/docs/websocket", GET=_page("websocket.html")),
        resource("/redoc", GET=_page("redoc.html")),
        Mount("/docs/assets", _Assets()),
    ]


def _page(name: str) -> Handler:
    async def show(request: Request) -> Response:
        return FileResponse(PAGES / name)

    return show


class _Assets(StaticFiles):
    """The scripts of the pages, and the vendored ones that `pages/vendor/lock.json` pins."""

    def __init__(self) -> None:
        super().__init__(directory=PAGES)
        self.all_directories = [PAGES, PAGES / "vendor"]
