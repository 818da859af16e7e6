"""Paths: several methods for each, slashes that are too many, and answers for paths that do not exist."""

import difflib
import re
from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from frontend_proxy.errors import NotFound, UpgradeRequired

Handler = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]


def resource(path: str, **handlers: Handler) -> Route:
    """The route of one path with all its methods, like `resource("/thing", GET=show, DELETE=remove)`.

    It refuses any other method with 405 and an `Allow` header that lists all of these. Separate routes for
    each method would pass it on to a later path pattern, and `Allow` would list one method only.
    """
    endpoint = type(path, (HTTPEndpoint,), {name.lower(): staticmethod(handlers[name]) for name in handlers})
    return Route(path, endpoint)


def methods(route: Route) -> list[str]:
    """The methods that `resource` was called with."""
    return [name for name in ("GET", "POST", "PUT", "DELETE") if hasattr(route.endpoint, name.lower())]


class TidySlashes:
    """ASGI middleware: a path means the same with a slash at its end, and with two slashes in a row.

    Clients join a base URL and a path with a slash too many. A redirect would not help them: sockets and many
    HTTP clients do not follow one, or turn a POST into a GET.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if "//" in path or (path.endswith("/") and path != "/"):
            scope["path"] = re.sub("/{2,}", "/", path).rstrip("/") or "/"
        await self.app(scope, receive, send)


def answer_unknown_paths(app: Starlette) -> None:
    """Paths without a route raise NotFound or UpgradeRequired, for requests and for sockets' handshakes."""
    app.router.redirect_slashes = False
    app.router.default = _UnknownPath(app.routes).__call__


class _UnknownPath:
    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._sockets = [route.path for route in routes if isinstance(route, WebSocketRoute)]
        paths = [route.path for route in routes if isinstance(route, Route)]
        self._paths = [path for path in paths if path != "/" and "{" not in path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["type"] == "websocket":
            raise NotFound(f"there is no WebSocket at {path[:200]}; it is at {', '.join(self._sockets)}")
        if path in self._sockets:
            raise UpgradeRequired(
                f"{path} is a WebSocket: connect with ws:// or wss:// instead of {scope['method']}. If a "
                "WebSocket client got this, a reverse proxy did not pass on its Upgrade header"
            )
        near = difflib.get_close_matches(path.lower()[:200], self._paths + self._sockets, 1)
        hint = f"did you mean {near[0]}?" if near else "GET / lists the endpoints"
        raise NotFound(f"there is nothing at {path[:200]}; {hint}")
