"""`/ws`: keyframes in and out as text frames of JSON."""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from frontend_proxy.errors import InvalidInput, ProxyError, internal_error, log_error
from frontend_proxy.job_factory import random_seed
from frontend_proxy.keyframes import Keyframes
from frontend_proxy.request_id import current_request_id, new_request_id, set_request_id
from frontend_proxy.schemas import ErrorMessage, Keyframe, KeyframeResult, parse_object, validate
from frontend_proxy.session import Session

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """A keyframe, when it came (`time.monotonic`), and its name in logs."""

    keyframe: Keyframe
    arrived: float
    request_id: str


class Sockets:
    """All open connections."""

    def __init__(self, keyframes: Keyframes) -> None:
        self._keyframes = keyframes
        self.active = 0

    async def endpoint(self, websocket: WebSocket) -> None:
        """Accepts at once, whatever the model's state; only the client ends it."""
        connection_id = new_request_id()
        set_request_id(connection_id)
        await websocket.accept()
        self.active += 1
        logger.info("a client came, %d now", self.active)
        try:
            await Connection(websocket, self._keyframes, connection_id).run()
        except* WebSocketDisconnect:
            pass
        finally:
            self.active -= 1
            logger.info("a client left, %d now", self.active)


class Connection:
    """One client. Its frames share a seed, so that the garment does not flicker."""

    def __init__(self, websocket: WebSocket, keyframes: Keyframes, connection_id: str) -> None:
        self._websocket = websocket
        self._keyframes = keyframes
        self._id = connection_id
        self._received = 0
        self._seed = random_seed()
        self._session: Session[Arrival, BaseModel] = Session(self._answer, self._send)

    async def run(self) -> None:
        """Raises a group of WebSocketDisconnect when the client has gone; cancels its unfinished answer."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._session.run())
            while True:
                await self._receive()

    async def _receive(self) -> None:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        self._received += 1
        set_request_id(f"{self._id}-{self._received}")
        fields: dict[str, Any] = {}
        try:
            if message.get("text") is None:
                raise InvalidInput("send text frames of JSON, not binary frames")
            fields = parse_object(message["text"])
            if fields.get("type") == "keyframe":
                keyframe = validate(Keyframe, fields)
                self._session.submit(Arrival(keyframe, time.monotonic(), current_request_id()))
        except ProxyError as error:
            await self._send(error_message(error, fields.get("timestamp")))

    async def _answer(self, arrival: Arrival) -> KeyframeResult | ErrorMessage:
        set_request_id(arrival.request_id)
        try:
            return await self._keyframes.answer(arrival.keyframe, self._seed, arrival.arrived)
        except ProxyError as error:
            return error_message(error, arrival.keyframe.timestamp)
        except Exception as error:
            return error_message(internal_error(error), arrival.keyframe.timestamp)

    async def _send(self, message: BaseModel) -> None:
        """Waits until the client has room. Does nothing once it has gone; `_receive` tells that."""
        with contextlib.suppress(WebSocketDisconnect, WebSocketDisconnected):
            await self._websocket.send_text(message.model_dump_json())


def error_message(error: ProxyError, timestamp: Any) -> ErrorMessage:
    log_error(error)
    return ErrorMessage(
        error=str(error),
        detail=str(error),
        code=error.code,
        timestamp=timestamp,
        request_id=current_request_id(),
    )
