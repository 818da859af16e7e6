"""WebSocket connections as uvicorn reads them, with every byte that they hold charged to the `ByteBudget`."""

from collections import deque
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from frontend_proxy.errors import ProxyError
from frontend_proxy.web.byte_budget import Hold
from frontend_proxy.web.request_bytes import HOLD

_LINGER_S = (
    2  # for a client that still sends: closing at once would reset the connection under the close frame
)


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Charges a message while it arrives, and then hands the hold to the application as `message["hold"]`.

    The message counts until the application drops both. Over the budget the socket closes with 1013.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving: Hold | None = None  # bytes that are not a whole message yet
        self._complete: deque[Hold] = deque()  # one for each message in `queue`

    def data_received(self, data: bytes) -> None:
        try:
            self._charge(len(data))
        except ProxyError as error:
            self.fail(CloseCode.TRY_AGAIN_LATER, str(error))
        super().data_received(data)
        if self._arriving is not None and not self.frames and not self.conn.reader.buffer:
            self._arriving.end_arriving()
            self._arriving.release()

    def send_receive_event_to_app(self) -> None:
        if self._arriving is not None and not self.close_sent:
            self._complete.append(self._arriving.split(sum(map(len, self.frames))))
        super().send_receive_event_to_app()

    async def receive(self) -> Any:
        message: Any = await super().receive()
        if message["type"] == "websocket.receive" and self._complete:
            message["hold"] = self._complete.popleft()
        return message

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_charging()
        super().connection_lost(exc)

    def fail(self, code: int, reason: str) -> None:
        """Close with `code` and forget what has arrived; what still arrives is read and discarded."""
        if self.close_sent or self.transport.is_closing():
            return
        self._stop_charging()
        self.frames = []
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.fail(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_LINGER_S, self.transport.close)

    def _charge(self, size: int) -> None:
        """Raises TooManyRequests, ServerFull."""
        new_hold: Callable[[], Hold] | None = getattr(self, "scope", {}).get(HOLD)
        if new_hold is None or self.close_sent:
            return
        if self._arriving is None:
            self._arriving = new_hold()
        self._arriving.start_arriving(self._evicted)
        self._arriving.grow(size)

    def _evicted(self) -> None:
        self.fail(CloseCode.TRY_AGAIN_LATER, "the server is full; try again in a moment")

    def _stop_charging(self) -> None:
        if self._arriving is not None:
            self._arriving.end_arriving()
            self._arriving.release()
        self._arriving = None
        self._complete.clear()
