"""HTTP connections as uvicorn reads them, bounded: how many, and how long and how large a request's head.

uvicorn with httptools has no such bounds: a head may arrive byte by byte for hours (a slowloris), and grow
without end. RFC 9112, section 2.3 and RFC 6585, section 5 ask a server to have them.
"""

import asyncio
import json
import logging
import socket
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from frontend_proxy.errors import error_body
from frontend_proxy.request_id import new_request_id
from frontend_proxy.settings import Settings

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES = 2**16
_LINGER_S = 5  # for a client that still sends a body after its answer: an answer cut off by a reset is lost
_STALLED_MS = 60_000  # a peer that takes nothing for so long is gone
_UNSENT_BYTES = 2**17  # the kernel would take megabytes of answers for a client that reads slowly: stale ones


def http_protocol(settings: Settings) -> type[asyncio.Protocol]:
    """The protocol class for `uvicorn.Config(http=…)`."""

    class BoundedHttp(_BoundedHttp):
        max_connections = settings.max_connections
        head_timeout_s = settings.head_timeout_s

    return BoundedHttp


class _BoundedHttp(HttpToolsProtocol):
    max_connections: int
    head_timeout_s: float

    _head_timer: asyncio.TimerHandle | None = None  # runs while a head is awaited or arrives
    _head_bytes = 0
    _linger_timer: asyncio.TimerHandle | None = None  # runs while a body arrives that is answered already

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_MS)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        if len(self.connections) > self.max_connections:
            self._refuse(
                HTTPStatus.SERVICE_UNAVAILABLE, "OVERLOADED", "too many connections; try again later"
            )
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        was_open = self._head_timer is not None
        super().data_received(data)
        if was_open and self._head_timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "INVALID_INPUT",
                    f"the request's head has more than {MAX_HEAD_BYTES} bytes",
                )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        self._stop_head_timer()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._linger_timer = self.loop.call_later(_LINGER_S, self.transport.close)

    def on_message_complete(self) -> None:
        self._stop_lingering()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_lingering()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, "INVALID_INPUT", "this is no HTTP/1.1 request")

    def _await_head(self) -> None:
        self._stop_head_timer()
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._head_timed_out)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_lingering(self) -> None:
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None

    def _head_timed_out(self) -> None:
        seconds = self.head_timeout_s
        self._refuse(
            HTTPStatus.REQUEST_TIMEOUT, "TIMEOUT", f"the request's head took more than {seconds:g} s"
        )

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        """An answer in the contract's shape before there is a request, and the end of the connection."""
        self._stop_head_timer()
        if self.transport.is_closing():
            return
        request_id = new_request_id()
        logger.info("%s: %s", code, message, extra={"request_id": request_id})
        body = json.dumps({**error_body(code, message), "request_id": request_id}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nretry-after: 5\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
