"""Live keyframes over the WebSocket: one message and its answer at a time."""

import asyncio
import itertools
import time
import uuid
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import msgpack
from pydantic import Field
from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from lucy_client.answer import Answer
from lucy_client.errors import LucyError
from lucy_client.models import GarmentReport
from lucy_client.pictures import Picture, read, with_pictures
from lucy_client.retries import Retries

SUBPROTOCOL = Subprotocol("lucy.msgpack.v1")  # pictures as plain bytes


class KeyframeAnswer(Answer):
    """`image` is a JPEG of the frame's size. mode: `ai_enhanced`, or `fallback` with a `mode_reason`."""

    image: bytes | None = None
    timestamp: Any = None
    frame_id: Any = None
    mode: str
    mode_reason: str | None = None
    detail: str | None = None
    seed: int | None = None
    steps: int | None = None
    garments: list[GarmentReport] | None = None
    reused: bool = False
    latency_ms: dict[str, float] = Field(default_factory=dict)
    request_id: str


class _Messages:
    """What is sent and read: pure, for both sessions.

    `frame_id` on the wire is a number of this client's: it tells whose an answer is, whatever the caller's.
    """

    def __init__(self) -> None:
        self._session_id = uuid.uuid4().hex
        self._number = 0
        self._frame_id: Any = None  # the caller's

    def keyframe(
        self, camera_frame: Picture, jacket_render: Picture | None, options: dict[str, Any]
    ) -> bytes:
        self._number += 1
        self._frame_id = options.get("frame_id")
        message = {
            "type": "keyframe",
            "session_id": self._session_id,
            "camera_frame": read(camera_frame),
            "jacket_render": None if jacket_render is None else read(jacket_render),
            **with_pictures(options, read),
            "frame_id": self._number,
        }
        return bytes(msgpack.packb(message))

    def answer(self, frame: str | bytes) -> KeyframeAnswer | None:
        """None for the answer to an earlier keyframe. Raises LucyError."""
        fields = msgpack.unpackb(frame)
        number = fields.get("frame_id")
        # A message that the server could not decode has no number, and only one is on its way.
        if fields.get("type") == "error" and number in (None, self._number):
            raise LucyError.of(fields, 500)
        if number != self._number:
            return None
        return KeyframeAnswer.model_validate({**fields, "frame_id": self._frame_id})


def _refused(error: Exception) -> LucyError:
    if isinstance(error, InvalidStatus):
        response = error.response
        return LucyError.of_body(
            bytes(response.body or b""), response.status_code, response.headers.get("Retry-After")
        )
    if isinstance(error, TimeoutError):
        return LucyError("the server did not answer in time", "UNREACHABLE")
    return LucyError(f"the WebSocket cannot be reached: {error}", "UNREACHABLE")


class KeyframeSession:
    """Use it in a `with` block. A connection that breaks, or on which no answer comes for `timeout_s`, is
    opened anew, and the keyframe is sent again."""

    def __init__(self, url: str, headers: dict[str, str], retries: Retries, timeout_s: float) -> None:
        self._url, self._headers, self._retries, self._timeout_s = url, headers, retries, timeout_s
        self._messages = _Messages()
        self._socket: ClientConnection | None = None
        self._open = ExitStack()

    def send(
        self, camera_frame: Picture, jacket_render: Picture | None = None, **options: Any
    ) -> KeyframeAnswer:
        """options: `pose`, `fabric_id`, `garment_image`, … as in docs/websocket.md. Raises LucyError."""
        message = self._messages.keyframe(camera_frame, jacket_render, options)
        for attempt in itertools.count():
            try:
                socket = self._socket = self._socket or self._connect()
                socket.send(message)
                while (answer := self._messages.answer(socket.recv(self._timeout_s))) is None:
                    pass
                return answer
            except (OSError, WebSocketException) as error:
                self.close()
                time.sleep(self._retries.pause(attempt, _refused(error), True))
        raise AssertionError("unreachable")

    def _connect(self) -> ClientConnection:
        connected = connect(
            self._url, additional_headers=self._headers, subprotocols=[SUBPROTOCOL], max_size=None
        )
        return self._open.enter_context(connected)

    def close(self) -> None:
        self._open.close()
        self._socket = None

    def __enter__(self) -> "KeyframeSession":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncKeyframeSession:
    """As `KeyframeSession`, in an `async with` block."""

    def __init__(self, url: str, headers: dict[str, str], retries: Retries, timeout_s: float) -> None:
        self._url, self._headers, self._retries, self._timeout_s = url, headers, retries, timeout_s
        self._messages = _Messages()
        self._socket: AsyncConnection | None = None

    async def send(
        self, camera_frame: Picture, jacket_render: Picture | None = None, **options: Any
    ) -> KeyframeAnswer:
        """As `KeyframeSession.send`."""
        message = self._messages.keyframe(camera_frame, jacket_render, options)
        for attempt in itertools.count():
            try:
                socket = self._socket = self._socket or await self._connect()
                await socket.send(message)
                while (answer := self._messages.answer(await self._received(socket))) is None:
                    pass
                return answer
            except (OSError, WebSocketException) as error:
                await self.close()
                await asyncio.sleep(self._retries.pause(attempt, _refused(error), True))
        raise AssertionError("unreachable")

    async def _received(self, socket: AsyncConnection) -> str | bytes:
        async with asyncio.timeout(self._timeout_s):
            return await socket.recv()

    async def _connect(self) -> AsyncConnection:
        return await connect_async(
            self._url, additional_headers=self._headers, subprotocols=[SUBPROTOCOL], max_size=None
        )

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        self._socket = None

    async def __aenter__(self) -> "AsyncKeyframeSession":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
