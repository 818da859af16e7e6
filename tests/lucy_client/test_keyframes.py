"""A live session: whose answer is whose, and what ends the wait for one."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_sockets

from lucy_client import AsyncLucy, Lucy, LucyError, Retries
from tests.frontend_proxy.conftest import FRAME, RENDER, Serve

Send = Callable[..., Any]


@pytest.fixture(params=["Lucy", "AsyncLucy"])
def send(request: pytest.FixtureRequest) -> Send:
    """Sends a keyframe with each of `keyframes`, in one session of either client; their answers or errors."""

    def synchronous(address: str, keyframes: list[dict[str, Any]], **options: Any) -> list[Any]:
        def one(fields: dict[str, Any]) -> Any:
            try:
                return session.send(FRAME, RENDER, **fields)
            except LucyError as error:
                return error

        with Lucy(f"http://{address}", **options) as lucy, lucy.keyframes() as session:
            return [one(fields) for fields in keyframes]

    async def asynchronous(address: str, keyframes: list[dict[str, Any]], **options: Any) -> list[Any]:
        async def one(fields: dict[str, Any]) -> Any:
            try:
                return await session.send(FRAME, RENDER, **fields)
            except LucyError as error:
                return error

        async with AsyncLucy(f"http://{address}", **options) as lucy, lucy.keyframes() as session:
            return [await one(fields) for fields in keyframes]

    async def run(*keyframes: dict[str, Any], address: str, **options: Any) -> list[Any]:
        async with asyncio.timeout(10):
            if request.param == "AsyncLucy":
                return await asynchronous(address, list(keyframes), **options)
            return await asyncio.to_thread(synchronous, address, list(keyframes), **options)

    return run


async def test_what_the_caller_marks_a_keyframe_with_comes_back(serve: Serve, send: Send) -> None:
    """A timestamp of the caller's made every answer look like one to an earlier keyframe."""
    async with serve() as address:
        keyframes = [{"timestamp": 123.4, "frame_id": "mine"}, {"frame_id": 7}, {}]
        answers = await send(*keyframes, address=address, timeout_s=2)
    assert [(it.timestamp, it.frame_id) for it in answers] == [(123.4, "mine"), (None, 7), (None, None)]


async def test_a_message_that_cannot_be_decoded_is_an_error(serve: Serve, send: Send) -> None:
    """The server's error has no frame_id then."""
    async with serve() as address:
        error, answer = await send({"pose": {"landmarks": [0] * 5000}}, {}, address=address, timeout_s=2)
    assert (error.code, answer.mode) == ("INVALID_INPUT", "ai_enhanced")


async def test_an_answer_to_an_earlier_keyframe_is_not_this_one_s(send: Send) -> None:
    async def late(socket: ServerConnection) -> None:
        async for message in socket:
            number = msgpack.unpackb(message)["frame_id"]
            for frame_id in (number - 1, number):
                answer = {"type": "keyframe_result", "mode": str(frame_id), "request_id": "q"}
                await socket.send(msgpack.packb({**answer, "frame_id": frame_id}))

    assert [answer.mode for answer in await _served(late, send, {}, {})] == ["1", "2"]


async def test_a_server_that_never_answers_is_not_waited_for(send: Send) -> None:
    received = []

    async def silent(socket: ServerConnection) -> None:
        async for message in socket:
            received.append(message)

    (error,) = await _served(silent, send, {}, timeout_s=0.1)
    assert (error.code, str(error)) == ("UNREACHABLE", "the server did not answer in time")
    assert len(received) == 2, "as after a lost connection, it is asked once more"


async def _served(handler: Any, send: Send, *keyframes: dict[str, Any], **options: Any) -> Any:
    retries = Retries(most=1, first_s=0.0)
    async with serve_sockets(handler, "127.0.0.1", 0, subprotocols=["lucy.msgpack.v1"]) as server:
        host, port = server.sockets[0].getsockname()
        return await send(*keyframes, address=f"{host}:{port}", retries=retries, **options)
