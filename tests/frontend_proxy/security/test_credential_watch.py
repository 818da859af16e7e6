"""WebSockets end with their credential, on a real server."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from websockets.asyncio.client import ClientConnection, connect

from frontend_proxy.background import Background
from frontend_proxy.security import credential_watch
from frontend_proxy.security.auth import Authenticator, Caller
from frontend_proxy.security.credential_watch import CredentialWatch
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, RENDER, Serve, until

KEY, OTHER_KEY = "key-of-the-first-shop", "key-of-the-second-shop"
SECRET = "a secret of more than 32 bytes for HS256"
KEYFRAME = json.dumps({"type": "keyframe", "timestamp": 7, "camera_frame": FRAME, "jacket_render": RENDER})


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential_watch, "CHECK_EVERY_S", 0.05)
    monkeypatch.setattr(credential_watch, "GRACE_S", 0.3)


def opened(address: str, credential: str) -> Any:
    return connect(f"ws://{address}/ws", additional_headers={"Authorization": f"Bearer {credential}"})


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """Code and reason with which the server closes the socket."""
    async with asyncio.timeout(5):
        await socket.wait_closed()
    return socket.close_code or 0, socket.close_reason or ""


async def test_a_socket_ends_when_its_key_is_taken_out_of_the_file(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\n{OTHER_KEY}\n")
    async with (
        serve(api_keys_file=file) as address,
        opened(address, KEY) as revoked,
        opened(address, OTHER_KEY) as kept,
    ):
        file.write_text(OTHER_KEY)
        code, reason = await closed(revoked)
        assert (code, "revoked" in reason) == (1008, True)
        await kept.send(KEYFRAME)
        assert json.loads(await kept.recv())["timestamp"] == 7


async def test_all_sockets_end_when_the_file_becomes_empty(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEY)
    async with serve(api_keys_file=file) as address, opened(address, KEY) as socket:
        file.write_text("")
        assert (await closed(socket))[0] == 1008


async def test_a_socket_ends_when_its_token_expires(serve: Serve) -> None:
    token = jwt.encode({"sub": "shopper-1", "exp": time.time() + 1}, SECRET)
    async with (
        serve(jwt_secret=SECRET, api_keys=KEY) as address,
        opened(address, token) as expires,
        opened(address, KEY) as kept,
    ):
        code, reason = await closed(expires)
        assert (code, "expired" in reason) == (1008, True)
        await kept.send(KEYFRAME)
        assert json.loads(await kept.recv())["timestamp"] == 7


async def test_the_answer_in_progress_goes_out_and_no_other(
    serve: Serve, tmp_path: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credential_watch, "GRACE_S", 5.0)
    file = tmp_path / "keys"
    file.write_text(KEY)
    server.delay_s = 0.3
    async with serve(api_keys_file=file) as address, opened(address, KEY) as socket:
        await socket.send(KEYFRAME)
        await until(lambda: server.started)
        file.write_text(OTHER_KEY)
        await asyncio.sleep(0.15)
        await socket.send(KEYFRAME)
        assert json.loads(await socket.recv())["mode"] == "ai_enhanced"
        assert (await closed(socket))[0] == 1008
    assert len(server.started) == 1


class BlockedSocket:
    """A client that reads nothing: sending to it never returns."""

    async def receive(self) -> Any:
        await asyncio.Event().wait()

    async def send(self, message: Any) -> None:
        await asyncio.Event().wait()


async def test_a_client_that_reads_nothing_is_disconnected_too(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEY)
    authenticator = Authenticator(Settings(_env_file=None, api_keys_file=file))
    background, socket = Background(), BlockedSocket()
    watch = CredentialWatch(authenticator, background)
    caller = authenticator.identify(KEY)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.send", "text": "answer"})

    serving = watch.serve(app, {}, socket.receive, socket.send, caller, KEY)
    file.write_text(OTHER_KEY)
    async with asyncio.timeout(5):
        await serving
    await background.close()


async def test_the_loop_runs_only_while_sockets_are_open(tmp_path: Path) -> None:
    background = Background()
    watch = CredentialWatch(Authenticator(Settings(_env_file=None, api_keys=KEY)), background)
    inside = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        inside.set()
        await asyncio.sleep(0.2)

    serving = asyncio.create_task(watch.serve(app, {}, None, None, Caller("key:1"), KEY))  # type: ignore[arg-type]
    await inside.wait()
    assert len(background._tasks) == 1
    await serving
    await asyncio.sleep(0)
    await until(lambda: not background._tasks)
