"""`/ws`: keyframes in, answers out. docs/websocket.md describes the messages."""

import asyncio
import contextlib
import logging
import time
from typing import Any

from pydantic import BaseModel
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from frontend_proxy.answer_schemas import ErrorMessage, KeyframeAnswer, KeyframeResult
from frontend_proxy.errors import error_fields, to_proxy_error
from frontend_proxy.field_types import is_small
from frontend_proxy.keyframes.codec import Codec, choose_codec
from frontend_proxy.keyframes.connection_state import ConnectionState
from frontend_proxy.keyframes.latest_only import LatestOnly
from frontend_proxy.keyframes.service import Arrival, KeyframeService
from frontend_proxy.metrics import DROPPED, SOCKETS, count_keyframe
from frontend_proxy.parsing import run_in_thread_if_large
from frontend_proxy.request_id import current_request_id, new_request_id, set_request_id
from frontend_proxy.schemas import Keyframe, validate
from frontend_proxy.security.auth import caller_of
from frontend_proxy.security.rate_limits import network
from frontend_proxy.web.shutdown import SERVICE_RESTART, Shutdown

logger = logging.getLogger(__name__)

_KIND = {str: "text", bytes: "bytes"}


class Sockets:
    """All open connections."""

    def __init__(self, keyframes: KeyframeService, shutdown: Shutdown) -> None:
        self._keyframes = keyframes
        self._shutdown = shutdown
        self.active = 0

    async def endpoint(self, websocket: WebSocket) -> None:
        """Accepts at once, also while the model is not ready, and serves the client until it disconnects."""
        connection_id = new_request_id()
        set_request_id(connection_id)
        codec, subprotocol = choose_codec(websocket.scope["subprotocols"])
        await websocket.accept(subprotocol)
        self.active += 1
        SOCKETS.inc()
        logger.info("client connected; %d are open", self.active)
        try:
            await Connection(websocket, codec, self._keyframes, connection_id).run(self._shutdown)
        except* WebSocketDisconnect:
            pass
        finally:
            self.active -= 1
            SOCKETS.dec()
            logger.info("client disconnected; %d are open", self.active)


class Connection:
    """One client's WebSocket."""

    def __init__(
        self, websocket: WebSocket, codec: Codec, keyframes: KeyframeService, connection_id: str
    ) -> None:
        self._websocket = websocket
        self._codec = codec
        self._keyframes = keyframes
        self._id = connection_id
        self._received = 0
        self._state = ConnectionState(_caller(websocket.scope))
        self._pending: LatestOnly[Arrival, KeyframeAnswer | ErrorMessage] = LatestOnly(
            self._answer, self._deliver
        )

    async def run(self, shutdown: Shutdown) -> None:
        """Raises a group of WebSocketDisconnect when the client leaves; cancels its unfinished answer."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pending.run())
            tasks.create_task(self._close_at(shutdown))
            while True:
                await self._receive()

    async def _close_at(self, shutdown: Shutdown) -> None:
        """Closes the socket when the server shuts down, after the answer in progress is sent."""
        await shutdown.begun.wait()
        await self._pending.idle()
        with contextlib.suppress(WebSocketDisconnect, WebSocketDisconnected):
            await self._websocket.close(SERVICE_RESTART, "the server restarts")

    async def _receive(self) -> None:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        self._received += 1
        set_request_id(f"{self._id}-{self._received}")
        fields: dict[str, Any] = {}
        try:
            frame = message["bytes"] if message.get("text") is None else message["text"]
            fields = await run_in_thread_if_large(len(frame), self._codec.decode, frame)
            if fields.get("type") == "keyframe":
                keyframe = await run_in_thread_if_large(len(frame), validate, Keyframe, fields)
                hold = message.get("hold")
                if self._pending.submit(Arrival(keyframe, time.monotonic(), current_request_id(), hold)):
                    DROPPED.inc()
        except Exception as error:
            await self._send(error_message(error, fields.get("timestamp"), fields.get("frame_id")))

    async def _answer(self, arrival: Arrival) -> KeyframeAnswer | ErrorMessage:
        set_request_id(arrival.request_id)
        keyframe = arrival.keyframe
        try:
            return await self._keyframes.answer(arrival, self._state)
        except Exception as error:
            return error_message(error, keyframe.timestamp, keyframe.frame_id)

    async def _deliver(self, answer: KeyframeAnswer | ErrorMessage) -> None:
        count_keyframe(answer)
        await self._send(answer)

    async def _send(self, message: BaseModel) -> None:
        """Waits until the client has room. Does nothing after it has left; `_receive` reports that."""
        with contextlib.suppress(WebSocketDisconnect, WebSocketDisconnected):
            size = len(message.image) if isinstance(message, KeyframeResult) else 0
            frame = await run_in_thread_if_large(size, self._codec.encode, message)
            await self._websocket.send({"type": "websocket.send", _KIND[type(frame)]: frame})


def error_message(error: Exception, timestamp: Any, frame_id: Any) -> ErrorMessage:
    """`timestamp` and `frame_id` as the client sent them, or null if they are too large to send back."""
    known = to_proxy_error(error)
    return ErrorMessage(
        **error_fields(known.code, str(known)),
        timestamp=timestamp if is_small(timestamp) else None,
        frame_id=frame_id if is_small(frame_id) else None,
    )


def _caller(scope: Scope) -> str:
    """The credential and the network address: many users may share either of them, but rarely both."""
    address = scope["client"][0] if scope["client"] else ""
    return f"{caller_of(scope) or ''}@{network(address)}"
