"""The proxy with a fake model server: in-process for plain HTTP, on a real socket for the rest."""

import asyncio
import base64
import io
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from frontend_proxy.__main__ import server_config
from frontend_proxy.app import create_app
from frontend_proxy.settings import Settings
from frontend_proxy.web.shutdown import Server, Shutdown
from tests.fakes import FakeServer

Serve = Callable[..., AbstractAsyncContextManager[str]]


def encoded(mode: str, image_format: str, size: tuple[int, int] = (64, 48), colour: str = "navy") -> str:
    """A picture of one colour in base64."""
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, image_format)
    return base64.b64encode(buffer.getvalue()).decode()


FRAME = "data:image/jpeg;base64," + encoded("RGB", "JPEG")
RENDER = "data:image/png;base64," + encoded("RGBA", "PNG", colour="red")
CAPTURE: dict[str, Any] = {
    "user_image": FRAME,
    "jacket_render": RENDER,
    "pose": None,
    "fabric_id": "denim-blue",
}
PNG = "data:image/png;base64,"
EVENTS = {"Accept": "text/event-stream"}


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in text.strip().split("\n\n"):
        event, data = block.split("\n")
        found.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def until(condition: Any, within_s: float = 10) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


@cache  # 10 ms for each test are 20 s for all
def _read_settings() -> Settings:
    changes = {"host": "127.0.0.1", "port": 0, "max_captures": 2, "max_share_per_caller": 1}
    return Settings(_env_file=None, find_pose=False, **changes)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Poses are not found: a worker process would do it. The client of a test may have all places."""
    folders = {"catalog_dir": tmp_path / "catalog", "results_dir": tmp_path / "results"}
    return _read_settings().model_copy(update=folders)


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
async def client(settings: Settings, server: FakeServer) -> AsyncIterator[httpx.AsyncClient]:
    """Without the worker processes."""
    transport = httpx.ASGITransport(create_app(settings, server))
    async with httpx.AsyncClient(transport=transport, base_url="http://lucy.test") as client:
        yield client


@pytest.fixture
def serve(settings: Settings, server: FakeServer) -> Serve:
    @asynccontextmanager
    async def serving(workers: bool = False, **changes: object) -> AsyncIterator[str]:
        """Yields its host:port. workers: whether the worker processes run, too."""
        changed = Settings(_env_file=None, **{**settings.model_dump(), **changes}) if changes else settings
        shutdown = Shutdown()
        config = server_config(changed, lambda: create_app(changed, server, shutdown))
        config.lifespan = "on" if workers else "off"
        uvicorn_server = Server(config, changed, shutdown)
        task = asyncio.create_task(uvicorn_server.serve())
        while not uvicorn_server.started:
            assert not task.done(), task.result()
            await asyncio.sleep(0.01)
        host, port = uvicorn_server.servers[0].sockets[0].getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            uvicorn_server.should_exit = True
            await task

    return serving


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def slow_steps(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause after each step, so that a test can look between them."""
    run = server.run

    async def paced(job: Any, timeout_s: float) -> AsyncIterator[Any]:
        async for response in run(job, timeout_s):
            await asyncio.sleep(0.01)
            yield response

    monkeypatch.setattr(server, "run", paced)
