"""Routes with several methods per path."""

from collections.abc import Awaitable, Callable

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

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
