"""WebSocket connections that close with 1008 when a client sends too many frames, or a message too slowly.

uvicorn parses everything that has arrived (256 KiB, 40,000 empty frames) before anything else runs, and keeps
every fragment of a message. Unlimited, one client's pings or empty fragments would stop all other clients.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from websockets.frames import CloseCode, Frame
from websockets.server import ServerProtocol

from frontend_proxy.settings import Settings
from frontend_proxy.web.frame_limits import FrameLimits, TokenBucket, address_bucket
from frontend_proxy.web.websocket_protocol import BoundedWebSocket

logger = logging.getLogger(__name__)


def websocket_protocol(settings: Settings, group: Callable[[str], str]) -> type[asyncio.Protocol]:
    """The protocol class for `uvicorn.Config(ws=…)`.

    group: turns an address into the name of the network that shares one limit on messages.
    """
    buckets: WeakValueDictionary[str, TokenBucket] = WeakValueDictionary()

    def bucket_of(address: str) -> TokenBucket:
        return buckets.setdefault(group(address), address_bucket())

    class LimitedWebSocket(_LimitedWebSocket):
        message_timeout_s = settings.body_timeout_s
        address_bucket = staticmethod(bucket_of)

    return LimitedWebSocket


class _LimitedParser(ServerProtocol):
    """Stops parsing at the first frame that breaks a limit, and forgets everything after it."""

    violation: str | None = None

    def __init__(self, check: Callable[[Frame], str | None], **options: Any) -> None:
        super().__init__(**options)
        self._check = check

    def recv_frame(self, frame: Frame) -> None:
        self.violation = self.violation or self._check(frame)
        if self.violation is None:
            super().recv_frame(frame)
        else:
            self.reader.discard()


class _LimitedWebSocket(BoundedWebSocket):
    message_timeout_s: float
    address_bucket: Callable[[str], TokenBucket]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn: _LimitedParser = _LimitedParser(
            self._check, max_size=self.config.ws_max_size, logger=logging.getLogger("uvicorn.error")
        )
        self._limits = FrameLimits()
        self._bucket: TokenBucket | None = None
        self._message_timer: asyncio.TimerHandle | None = None  # runs while a message arrives

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.violation is not None:
            self.fail(CloseCode.POLICY_VIOLATION, self.conn.violation)
        elif self.conn.handshake_exc is not None:
            self._refuse_handshake()
        if not self.close_sent and (self.frames or self.conn.reader.buffer):
            if self._message_timer is None:
                self._start_message_timer()
        else:
            self._stop_message_timer()

    def send_receive_event_to_app(self) -> None:
        self._stop_message_timer()  # the message is complete
        super().send_receive_event_to_app()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_message_timer()
        super().connection_lost(exc)

    def fail(self, code: int, reason: str) -> None:
        if not (self.close_sent or self.transport.is_closing()):
            logger.info("a WebSocket is closed with %d: %s", code, reason)
        self._stop_message_timer()
        super().fail(code, reason)
        self.disconnected = True  # an answer that is still in progress is dropped

    def handle_ping(self) -> None:
        """Pongs are dropped while the client does not read: they would pile up in the send buffer."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def _check(self, frame: Frame) -> str | None:
        if self._bucket is None:
            client = self.scope["client"]
            self._bucket = self.address_bucket(client[0] if client else "")
        return self._limits.violation(frame.opcode, len(frame.data), self.loop.time(), self._bucket)

    def _refuse_handshake(self) -> None:
        """Headers that uvicorn's HTTP parser accepts and its WebSocket parser does not, as more than 128."""
        if not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def _start_message_timer(self) -> None:
        self._message_timer = self.loop.call_later(self.message_timeout_s, self._message_timed_out)

    def _stop_message_timer(self) -> None:
        if self._message_timer is not None:
            self._message_timer.cancel()
            self._message_timer = None

    def _message_timed_out(self) -> None:
        if self.read_paused:  # the server is not reading, so the client is not to blame
            self._start_message_timer()
        else:
            self.fail(
                CloseCode.POLICY_VIOLATION, f"a message took more than {self.message_timeout_s:g} s to arrive"
            )
