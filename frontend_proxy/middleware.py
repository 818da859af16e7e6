"""Around every HTTP request: its id, one log line, and JSON even for an error that nobody foresaw."""

import logging
import time
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frontend_proxy.errors import error_response, internal_error
from frontend_proxy.request_id import HEADER, new_request_id, set_request_id

logger = logging.getLogger("frontend_proxy.access")


class RequestMiddleware:
    """Sits inside the CORS middleware.

    Starlette's own handler of unforeseen errors sits outside it, so a browser on another origin could
    not read the error that it sends.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        request_id = new_request_id(Headers(scope=scope).get(HEADER))
        set_request_id(request_id)
        started = time.perf_counter()
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            pass  # nobody is left to answer
        except Exception as error:
            if status is not None:
                raise  # half an answer is out: only cutting the connection tells the client
            await error_response(internal_error(error))(scope, receive, send_with_id)
        finally:
            milliseconds = (time.perf_counter() - started) * 1000
            path = quote(scope["path"])  # a decoded path may hold line breaks
            logger.info("%s %s %s %.0f ms", scope["method"], path, status or "-", milliseconds)
