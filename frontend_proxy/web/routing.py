"""Routes of the application, one for each path."""

from collections.abc import Awaitable, Callable

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Handler = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]


def resource(path: str, **handlers: Handler) -> Route:
    """All methods of one path, like `resource("/thing", GET=show, DELETE=remove)`.

    A method that is not among them is refused here, with an `Allow` that lists those that are. Starlette's
    routes of one method each would let a later path pattern take it, and list only their own.
    """
    endpoint = type(path, (HTTPEndpoint,), {name.lower(): staticmethod(handlers[name]) for name in handlers})
    return Route(path, endpoint)


def methods(route: Route) -> list[str]:
    """Those that were given to `resource`."""
    return [name for name in ("GET", "POST", "PUT", "DELETE") if hasattr(route.endpoint, name.lower())]
