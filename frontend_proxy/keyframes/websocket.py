"""`/ws`: keyframes in and out. docs/websocket.md describes what travels."""

import asyncio
import contextlib
import logging
import time
from typing import Any

from pydantic import BaseModel
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from frontend_proxy.errors import ProxyError, internal_error, log_error
from frontend_proxy.keyframes.codec import Codec, chosen
from frontend_proxy.keyframes.keyframes import Arrival, Keyframes, Memory
from frontend_proxy.keyframes.session import Session
from frontend_proxy.metrics import DROPPED, SOCKETS, count_keyframe
from frontend_proxy.parsing import beside_the_loop
from frontend_proxy.request_id import current_request_id, new_request_id, set_request_id
from frontend_proxy.schemas import ErrorMessage, Keyframe, KeyframeResult, validate
from frontend_proxy.web.shutdown import SERVICE_RESTART, Shutdown

logger = logging.getLogger(__name__)

_KIND = {str: "text", bytes: "bytes"}


class Sockets:
    """All open connections."""

    def __init__(self, keyframes: Keyframes, shutdown: Shutdown) -> None:
        self._keyframes = keyframes
        self._shutdown = shutdown
        self.active = 0

    async def endpoint(self, websocket: WebSocket) -> None:
        """Accepts at once, whatever the model's state; only the client ends it."""
        connection_id = new_request_id()
        set_request_id(connection_id)
        codec, subprotocol = chosen(websocket.scope["subprotocols"])
        await websocket.accept(subprotocol)
        self.active += 1
        SOCKETS.inc()
        logger.info("a client came, %d now", self.active)
        try:
            await Connection(websocket, codec, self._keyframes, connection_id).run(self._shutdown)
        except* WebSocketDisconnect:
            pass
        finally:
            self.active -= 1
            SOCKETS.dec()
            logger.info("a client left, %d now", self.active)


class Connection:
    """One client."""

    def __init__(self, websocket: WebSocket, codec: Codec, keyframes: Keyframes, connection_id: str) -> None:
        self._websocket = websocket
        self._codec = codec
        self._keyframes = keyframes
        self._id = connection_id
        self._received = 0
        self._memory = Memory()
        self._session: Session[Arrival, KeyframeResult | ErrorMessage] = Session(self._answer, self._deliver)

    async def run(self, shutdown: Shutdown) -> None:
        """Raises a group of WebSocketDisconnect when the client has gone; cancels its unfinished answer."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._session.run())
            tasks.create_task(self._close_at(shutdown))
            while True:
                await self._receive()

    async def _close_at(self, shutdown: Shutdown) -> None:
        """The answer in the making still goes out."""
        await shutdown.begun.wait()
        await self._session.idle()
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
            fields = await beside_the_loop(len(frame), self._codec.decode, frame)
            if fields.get("type") == "keyframe":
                keyframe = await beside_the_loop(len(frame), validate, Keyframe, fields)
                if self._session.submit(Arrival(keyframe, time.monotonic(), current_request_id())):
                    DROPPED.inc()
        except ProxyError as error:
            await self._send(error_message(error, fields.get("timestamp"), fields.get("frame_id")))

    async def _answer(self, arrival: Arrival) -> KeyframeResult | ErrorMessage:
        set_request_id(arrival.request_id)
        keyframe = arrival.keyframe
        try:
            return await self._keyframes.answer(arrival, self._memory)
        except ProxyError as error:
            return error_message(error, keyframe.timestamp, keyframe.frame_id)
        except Exception as error:
            return error_message(internal_error(error), keyframe.timestamp, keyframe.frame_id)

    async def _deliver(self, answer: KeyframeResult | ErrorMessage) -> None:
        count_keyframe(answer)
        await self._send(answer)

    async def _send(self, message: BaseModel) -> None:
        """Waits until the client has room. Does nothing once it has gone; `_receive` tells that."""
        with contextlib.suppress(WebSocketDisconnect, WebSocketDisconnected):
            frame = self._codec.encode(message)
            await self._websocket.send({"type": "websocket.send", _KIND[type(frame)]: frame})


def error_message(error: ProxyError, timestamp: Any, frame_id: Any) -> ErrorMessage:
    log_error(error)
    return ErrorMessage(
        error=str(error),
        detail=str(error),
        code=error.code,
        timestamp=timestamp,
        frame_id=frame_id,
        request_id=current_request_id(),
    )
