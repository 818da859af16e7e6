"""The end in good order: not ready, the last answers, sockets closed with 1012."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from frontend_proxy.__main__ import server_config
from frontend_proxy.app import create_app
from frontend_proxy.settings import Settings
from frontend_proxy.web.shutdown import Server, Shutdown
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, RENDER

KEYFRAME = json.dumps({"type": "keyframe", "timestamp": 7, "camera_frame": FRAME, "jacket_render": RENDER})


@asynccontextmanager
async def running(settings: Settings, model: FakeServer) -> AsyncIterator[tuple[Server, str, asyncio.Task]]:
    shutdown = Shutdown()
    config = server_config(settings, lambda: create_app(settings, model, shutdown))
    config.lifespan = "off"
    server = Server(config, settings, shutdown)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    try:
        yield server, f"{host}:{port}", task
    finally:
        server.should_exit = True
        await task


async def test_readiness_is_503_while_requests_are_still_answered(
    settings: Settings, server: FakeServer
) -> None:
    """A load balancer needs a moment to look away; until then it sends requests."""
    settings = settings.model_copy(update={"shutdown_delay_s": 1.0})
    async with running(settings, server) as (uvicorn, address, ended), httpx.AsyncClient() as client:
        assert (await client.get(f"http://{address}/health/live")).status_code == 200
        uvicorn.should_exit = True
        while (ready := await client.get(f"http://{address}/health/ready")).json()["status"] != "ending":
            await asyncio.sleep(0.01)
        assert ready.status_code == 503
        assert (await client.get(f"http://{address}/api/fabric/catalog")).status_code == 200
        await ended
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://{address}/health/ready")


async def test_a_socket_gets_its_last_answer_and_then_1012(settings: Settings, server: FakeServer) -> None:
    """uvicorn closes sockets at once, with the answer still in the making."""
    server.delay_s = 0.5
    async with running(settings, server) as (uvicorn, address, _), connect(f"ws://{address}/ws") as socket:
        await socket.send(KEYFRAME)
        while not server.started:
            await asyncio.sleep(0.01)
        uvicorn.should_exit = True
        assert json.loads(await socket.recv())["mode"] == "ai_enhanced"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


async def test_a_running_capture_is_finished(settings: Settings, server: FakeServer) -> None:
    server.delay_s = 0.5
    capture = {"user_image": FRAME, "jacket_render": RENDER, "pose": None}
    async with running(settings, server) as (uvicorn, address, _), httpx.AsyncClient() as client:
        answering = asyncio.create_task(client.post(f"http://{address}/virtual-tryon", json=capture))
        while not server.started:
            await asyncio.sleep(0.01)
        uvicorn.should_exit = True
        assert (await answering).json()["success"] is True


async def test_work_that_outlasts_the_timeout_is_cancelled(
    settings: Settings, server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.delay_s = 30
    settings = settings.model_copy(update={"shutdown_timeout_s": 0.5, "keyframe_timeout_s": 30.0})
    async with (
        running(settings, server) as (uvicorn, address, ended),
        connect(f"ws://{address}/ws") as socket,
    ):
        await socket.send(KEYFRAME)
        while not server.started:
            await asyncio.sleep(0.01)
        uvicorn.should_exit = True
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        await asyncio.wait_for(ended, 10)
    assert server.cancelled
