"""Middleware for every request: its id, one log line, security headers, and JSON for unexpected errors."""

import logging
import time
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from frontend_proxy import metrics, tracing
from frontend_proxy.error_answers import error_response
from frontend_proxy.request_id import HEADER, new_request_id, set_request_id
from frontend_proxy.web.probes import PROBES

logger = logging.getLogger("frontend_proxy.access")

ROUTINE = {*PROBES, "/metrics"}  # requested all the time by machines: no log line at level info, no span

# Headers of the Fetch and CSP standards: responses must not be framed, sniffed or run as scripts.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",  # pages of other origins load textures
}
_CSP = "default-src 'none'; frame-ancestors 'none'"
_PAGE_CSP = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; connect-src 'self' ws: wss: data: blob:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class RequestMiddleware:
    """The outermost middleware: what it adds is on every response, also on refusals."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        request_id = new_request_id(Headers(scope=scope).get(HEADER))
        set_request_id(request_id)
        started = time.perf_counter()
        status: int | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = request_id
                _secure(headers, scope["scheme"])
            await send(message)

        with tracing.request_span(scope, recorded=scope["path"] not in ROUTINE) as span:
            try:
                await self.app(scope, receive, send_with_headers)
            except ClientDisconnect:
                pass  # nobody is left to receive an answer
            finally:
                if scope["type"] == "http":
                    seconds = time.perf_counter() - started
                    route = route_of(scope)
                    tracing.end_request(span, scope, route, status)
                    metrics.count_request(scope["method"], route, status, seconds)
                    _log(scope, status, seconds)


class ErrorMiddleware:
    """Turns exceptions into error responses.

    It is inside the CORS middleware, so that pages of other origins can read the errors. Starlette's own
    handler of unexpected errors is outside of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched_send(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched_send)
        except ClientDisconnect:
            raise
        except Exception as error:
            if begun or scope["type"] == "lifespan":
                raise  # the response has begun: only closing the connection tells the client
            await refuse(scope, receive, watched_send, error_response(error))


async def refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    """Send `response` to a request, or to a WebSocket's handshake instead of the upgrade."""
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)


def route_of(scope: Scope) -> str:
    """The path as the application declares it, `/api/fabric/{id}`, so that metrics have few labels."""
    route = scope.get("route")
    return getattr(route, "path", "unknown")


def _secure(headers: MutableHeaders, scheme: str) -> None:
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    page = headers.get("Content-Type", "").startswith("text/html")
    headers.setdefault("Content-Security-Policy", _PAGE_CSP if page else _CSP)
    if scheme in ("https", "wss"):
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def _log(scope: Scope, status: int | None, seconds: float) -> None:
    """The query is left out because it may hold secrets. Probes and scrapes are logged at debug only."""
    path = quote(scope["path"])  # a decoded path may contain line breaks
    client = scope["client"][0] if scope["client"] else "-"
    fields = {"method": scope["method"], "path": path, "status": status, "client": client}
    logger.log(
        logging.DEBUG if scope["path"] in ROUTINE else logging.INFO,
        "%s %s %s %.0f ms",
        scope["method"],
        path,
        status or "-",
        seconds * 1000,
        extra={"fields": {**fields, "duration_ms": round(seconds * 1000, 1)}},
    )
