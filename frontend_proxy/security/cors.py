"""Which pages may call: CORS for requests, the Origin header for WebSockets."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from frontend_proxy.errors import Forbidden, error_body


class Cors(CORSMiddleware):
    """Starlette's, with refusals of a preflight in the contract's shape."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return JSONResponse(error_body("FORBIDDEN", bytes(response.body).decode()), 400, headers)


def check_origin(scope: Scope, allowed: list[str]) -> None:
    """Browsers let any page open a WebSocket and say which (RFC 6455, section 10.2).

    A program sends no Origin, and a page of this very server may always. Raises Forbidden.
    """
    headers = Headers(scope=scope)
    origin = headers.get("Origin")
    if origin is None or "*" in allowed or origin in allowed:
        return
    if origin.partition("://")[2] == headers.get("Host"):
        return
    raise Forbidden(f"pages of {origin} may not connect; CORS_ORIGINS says which may")
