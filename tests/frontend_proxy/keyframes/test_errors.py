"""Bad messages and failed keyframes, through the socket."""

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect

from frontend_proxy.errors import InferenceFailed
from frontend_proxy.jobs import Result
from frontend_proxy.schemas import Keyframe
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import Serve
from tests.frontend_proxy.keyframes.messages import answer, keyframe


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not json", "INVALID_INPUT"),
        ("[1, 2]", "INVALID_INPUT"),
        (b"\x00binary", "INVALID_INPUT"),
        (keyframe(camera_frame=None), "INVALID_INPUT"),
        (keyframe(camera_frame="data:image/jpeg;base64,Zm9v"), "IMAGE_DECODE"),
        (keyframe(steps=51), "INVALID_INPUT"),
        (keyframe(quality="superb"), "INVALID_INPUT"),
        (keyframe(mask="no base64!"), "INVALID_INPUT"),
        (keyframe(mask="Zm9v"), "IMAGE_DECODE"),
        (keyframe(session_id="s" * 129), "INVALID_INPUT"),
        ("[" * 10 * 2**20, "INVALID_INPUT"),
        ('{"type": "keyframe", "pose": [' + "[]," * 3 * 2**20 + "0]}", "INVALID_INPUT"),
    ],
)
async def test_bad_input_is_an_error_and_the_socket_stays_open(
    serve: Serve, text: str | bytes, code: str
) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(text)
        error = await answer(socket)
        assert (error["type"], error["success"], error["code"]) == ("error", False, code)
        assert error["error"] == error["detail"] != ""
        await socket.send(keyframe(2))
        assert (await answer(socket))["timestamp"] == 2


async def test_an_unexpected_error_is_not_disclosed_and_the_socket_stays_open(
    serve: Serve, server: FakeServer
) -> None:
    server.error = RuntimeError("secret")  # type: ignore[assignment]
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(1))
        error = await answer(socket)
        assert error["code"] == "INTERNAL"
        assert "secret" not in json.dumps(error)
        server.error = None
        await socket.send(keyframe(2))
        assert (await answer(socket))["timestamp"] == 2


async def test_a_failed_pipeline_is_an_error(serve: Serve, server: FakeServer) -> None:
    server.error = InferenceFailed("no finite pixels")
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(1))
        error = await answer(socket)
        assert (error["code"], error["timestamp"]) == ("INFERENCE_FAILED", 1)


async def test_a_failed_keyframe_is_freed_without_the_garbage_collector(
    serve: Serve, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the pipeline fails on every one, their pictures would fill the memory."""

    async def fails(job: object, timeout_s: float) -> AsyncIterator[Result]:
        raise InferenceFailed("no finite pixels")
        yield

    monkeypatch.setattr(server, "run", fails)
    logging.disable(logging.CRITICAL)  # pytest keeps what is logged
    gc.collect()
    gc.disable()
    try:
        async with serve() as address, connect(f"ws://{address}/ws") as socket:
            await socket.send(keyframe(1))
            assert (await answer(socket))["code"] == "INFERENCE_FAILED"
            await asyncio.sleep(0.1)
            left = [found for found in gc.get_objects() if type(found) is Keyframe]
    finally:
        gc.enable()
        logging.disable(logging.NOTSET)
    assert not left
