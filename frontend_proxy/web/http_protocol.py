"""HTTP connections as uvicorn reads them, with bounds on what a client may send beside its bodies.

uvicorn with httptools has no such bounds: a head may arrive byte by byte for hours (a slowloris), and heads,
chunk extensions and trailers may grow without end. RFC 9112 (sections 2.3 and 7.1.1) and RFC 6585 (section 5)
ask a server to have them.
"""

import asyncio
import json
import logging
import socket
from collections import Counter
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from frontend_proxy.errors import error_body
from frontend_proxy.request_id import new_request_id
from frontend_proxy.settings import Settings

logger = logging.getLogger(__name__)

MAX_FRAMING_BYTES = 2**16  # of one request: its head, chunk sizes and extensions, trailers
_PIECE_BYTES = 2**14  # that are parsed at once, by which MAX_FRAMING_BYTES may be exceeded
MAX_PIPELINED = 16  # requests that wait for the answers to earlier ones of their connection
# Closing a connection on which the client still sends resets it, and the reset destroys the answer. So the
# rest is read and discarded: for some seconds after an answer, up to a size after a refusal.
_LINGER_S = 5
_REFUSED_LINGER_S, _REFUSED_LINGER_BYTES = 1, 2**19
_STALLED_MS = 60_000  # a client that reads nothing for so long is gone
_UNSENT_BYTES = 2**17  # the kernel would buffer megabytes of outdated answers for a client that reads slowly


def http_protocol(settings: Settings) -> type[asyncio.Protocol]:
    """The protocol class for `uvicorn.Config(http=…)`."""

    class BoundedHttp(_BoundedHttp):
        max_connections = settings.max_connections
        head_timeout_s = settings.head_timeout_s

    return BoundedHttp


class _TooManyPipelined(Exception):
    """Raised in a callback of the parser, to stop it."""


class _BoundedHttp(HttpToolsProtocol):
    max_connections: int
    head_timeout_s: float

    _head_timer: asyncio.TimerHandle | None = None  # runs while a head is awaited or arrives
    _linger_timer: asyncio.TimerHandle | None = None  # runs while the rest of an answered body arrives
    _refused = False
    _discarded_bytes = 0  # since it was refused
    _framing_bytes = 0  # received since the request's begin, less its body
    _in_body = False  # from a head's end to the end of its request
    _request_ended = False  # in the piece of data that is being parsed

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_MS)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        if len(self.connections) > self.max_connections and not self._made_room():
            self._refuse(
                HTTPStatus.SERVICE_UNAVAILABLE, "OVERLOADED", "too many connections; try again later"
            )
            return
        self._await_head()

    def _made_room(self) -> bool:
        """Closes the connection that has been idle for longest, of the address that has most of them.

        Without it one address could hold all connections for `KEEP_ALIVE_S`. Behind a reverse proxy all
        are of its address.
        """
        open_ones = [it for it in self.connections if not it.transport.is_closing()]
        [(address, _)] = Counter(_address(it) for it in open_ones).most_common(1)
        idle = [
            (since, it)
            for it in open_ones
            if it is not self
            and isinstance(it, _BoundedHttp)
            and _address(it) == address
            and (since := it._idle_since()) is not None
        ]
        if not idle:
            return False
        _, longest = min(idle, key=lambda one: one[0])
        longest.transport.close()
        return True

    def _idle_since(self) -> float | None:
        """On the loop's clock; None while a request arrives or is answered."""
        if self.timeout_keep_alive_task is not None:
            return self.timeout_keep_alive_task.when() - self.timeout_keep_alive
        if self._head_timer is not None and self.cycle is None and not self._framing_bytes:
            return self._head_timer.when() - self.head_timeout_s
        return None

    def data_received(self, data: bytes) -> None:
        """In pieces, because the parser does not say where in one of them a request ended."""
        if self._refused:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _REFUSED_LINGER_BYTES:
                self.transport.close()
            return
        for start in range(0, len(data), _PIECE_BYTES):
            if self._refused or self.transport.is_closing() or self.transport.get_protocol() is not self:
                return  # the last where it is a WebSocket from now on
            piece = data[start : start + _PIECE_BYTES]
            self._request_ended = False
            self._framing_bytes += len(piece)
            super().data_received(piece)
            if self._request_ended:
                self._framing_bytes = 0
            elif self._framing_bytes > MAX_FRAMING_BYTES:
                self._refuse_framing()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _TooManyPipelined
        super().on_message_begin()
        self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Ignores trailers (RFC 9110, section 6.5.1): uvicorn would add them to the head that was checked."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_body = True
        self._stop_head_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._framing_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body, self._request_ended = False, True
        self._stop_lingering()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._linger_timer = self.loop.call_later(_LINGER_S, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_lingering()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Called where the parser stopped, be it for `_TooManyPipelined`."""
        if len(self.pipeline) >= MAX_PIPELINED:
            message = f"more than {MAX_PIPELINED} requests wait for answers on this connection"
            self._refuse(HTTPStatus.BAD_REQUEST, "INVALID_INPUT", message)
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, "INVALID_INPUT", "this is not an HTTP/1.1 request")

    def _await_head(self) -> None:
        self._stop_head_timer()
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
        message = f"the request's head took more than {self.head_timeout_s:g} s"
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "TIMEOUT", message)

    def _refuse_framing(self) -> None:
        if not self._in_body:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            message = f"the request's head has more than {MAX_FRAMING_BYTES} bytes"
        else:
            status = HTTPStatus.BAD_REQUEST
            message = (
                f"the request has more than {MAX_FRAMING_BYTES} bytes beside its body; "
                "send it in larger chunks or with a Content-Length"
            )
        self._refuse(status, "INVALID_INPUT", message)

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        """Close the connection, after an answer in the contract's shape where one can still be sent."""
        may_answer = self._may_answer()
        self._stop_head_timer()
        self._stop_lingering()
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        request_id = new_request_id()
        logger.info("%s: %s", code, message, extra={"request_id": request_id})
        if self.cycle is not None:  # the application must not write into the answer below
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not may_answer:
            self.transport.close()
            return
        body = json.dumps({**error_body(code, message), "request_id": request_id}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nretry-after: 5\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        if self.cycle is None and not self._framing_bytes:
            self.transport.close()  # nothing has arrived that could reset it
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self._linger_timer = self.loop.call_later(_REFUSED_LINGER_S, self.transport.close)

    def _may_answer(self) -> bool:
        """Whether nothing of an answer is out yet, and none to an earlier request is still to come."""
        if self._in_body:
            return not self.pipeline and not self.cycle.response_started
        return self.cycle is None or self.cycle.response_complete  # that of the request before


def _address(connection: object) -> str | None:
    """Of a connection's other end: uvicorn's protocols keep it as (host, port)."""
    client = getattr(connection, "client", None)
    return client[0] if client else None
