import asyncio
import json
import time
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Frame, Opcode

from frontend_proxy.settings import Settings
from frontend_proxy.web.frame_limits import (
    CONTROL_FRAMES_BURST,
    MESSAGES_BURST,
    SMALL_FRAGMENTS,
    FrameLimits,
)
from frontend_proxy.web.limited_websocket import websocket_protocol
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import Serve, until
from tests.frontend_proxy.keyframes.messages import answer, keyframe

TEXT, CONT, PING, PONG = Opcode.TEXT, Opcode.CONT, Opcode.PING, Opcode.PONG


def frame(opcode: Opcode, data: bytes = b"", fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: lucy.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b"A" * 22 + b"==\r\n\r\n"
)
FLOODS = {
    "pings": (frame(PING, 125 * b"x") * 10_000, CONTROL_FRAMES_BURST),
    "empty pings": (frame(PING) * 100_000, CONTROL_FRAMES_BURST),
    "pongs": (frame(PONG, 125 * b"x") * 10_000, CONTROL_FRAMES_BURST),
    "empty fragments": (frame(TEXT, fin=False) + frame(CONT, fin=False) * 100_000, SMALL_FRAGMENTS),
    "tiny fragments": (
        frame(TEXT, b"{", fin=False) + frame(CONT, b" ", fin=False) * 100_000,
        SMALL_FRAGMENTS,
    ),
    "empty messages": (frame(TEXT) * 100_000, MESSAGES_BURST),
    "tiny messages": (frame(TEXT, b"{}") * 100_000, MESSAGES_BURST),
}


@pytest.fixture(autouse=True)
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frontend_proxy.web.websocket_protocol._LINGER_S", 0.2)


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """The close frame that the server sends."""
    with pytest.raises(ConnectionClosedError) as raised:
        await asyncio.wait_for(_receive_all(socket), 10)
    assert raised.value.rcvd is not None
    return raised.value.rcvd.code, raised.value.rcvd.reason


async def _receive_all(socket: ClientConnection) -> None:
    while True:
        await socket.recv()


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_is_closed_with_1008_before_it_is_parsed(
    serve: Serve, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Health took 10 to 26 s while one client sent such frames at 1 MiB/s."""
    checked = 0
    violation = FrameLimits.violation

    def counted(self: FrameLimits, *args: object) -> str | None:
        nonlocal checked
        checked += 1
        return violation(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(FrameLimits, "violation", counted)
    flood, most = FLOODS[name]
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        socket.transport.write(flood)
        code, reason = await closed(socket)
        assert (code, "more than" in reason) == (1008, True)
        assert checked <= 2 * most
        async with connect(f"ws://{address}/ws") as other:
            await other.send(keyframe(2))
            assert (await answer(other))["timestamp"] == 2
    assert "Exception in ASGI application" not in caplog.text


async def test_a_flood_while_an_answer_is_in_progress_cancels_it(
    serve: Serve, server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.delay_s = 60
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(1))
        await until(lambda: server.started)
        socket.transport.write(FLOODS["empty pings"][0])
        assert (await closed(socket))[0] == 1008
        await until(lambda: server.cancelled)
    assert "Exception in ASGI application" not in caplog.text


async def test_a_client_that_goes_on_sending_is_cut_off(serve: Serve) -> None:
    """The close frame has time to arrive; a flood does not keep the connection open."""
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        socket.transport.write(FLOODS["empty pings"][0])
        began = time.monotonic()
        while not socket.transport.is_closing():
            socket.transport.write(frame(PING) * 100)
            await asyncio.sleep(0.05)
        assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "began",
    [frame(TEXT, b"{" * 50)[:20], frame(TEXT, b"{", fin=False), b"\x81"],
    ids=["cut off", "no last fragment", "one byte"],
)
async def test_a_message_that_never_ends_is_closed_with_1008(serve: Serve, began: bytes) -> None:
    async with serve(body_timeout_s=0.3) as address, connect(f"ws://{address}/ws") as socket:
        socket.transport.write(began)
        code, reason = await closed(socket)
    assert (code, "0.3 s" in reason) == (1008, True)


async def test_a_message_that_arrives_byte_by_byte_is_closed_with_1008(serve: Serve) -> None:
    async with serve(body_timeout_s=0.3) as address, connect(f"ws://{address}/ws") as socket:
        began = time.monotonic()
        for byte in frame(TEXT, b"{" * 100):
            if socket.transport.is_closing():
                break
            socket.transport.write(bytes([byte]))
            await asyncio.sleep(0.05)
        assert (await closed(socket))[0] == 1008
        assert time.monotonic() - began < 5


@pytest.mark.nightly
async def test_a_client_that_always_sends_is_not_too_slow(serve: Serve) -> None:
    """The timeout is for one message, also if the next one has begun when it ends."""
    async with serve(body_timeout_s=1.5) as address, connect(f"ws://{address}/ws") as socket:
        message = frame(TEXT, b'{"type": "other"}')
        for _ in range(20):
            socket.transport.write(message[10:] + message[:10] if _ else message + message[:10])
            await asyncio.sleep(0.1)
        socket.transport.write(message[10:])
        await socket.send(keyframe(3))
        assert (await answer(socket))["timestamp"] == 3


async def test_large_messages_in_fragments_and_keepalive_are_accepted(serve: Serve) -> None:
    message = json.loads(keyframe(5))
    message["padding"] = "x" * 2**20
    text = json.dumps(message).encode()
    pieces = [text[start : start + 2**14] for start in range(0, len(text), 2**14)]
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        for number, piece in enumerate(pieces):
            fin = number == len(pieces) - 1
            socket.transport.write(frame(CONT if number else TEXT, piece, fin))
            if number % 10 == 5:
                await (await socket.ping())
        assert (await answer(socket))["timestamp"] == 5


async def test_a_handshake_that_only_one_of_two_parsers_accepts_is_answered(serve: Serve) -> None:
    """It would hang for ever, and count as a connection."""
    headers = b"".join(b"X-%d: a\r\n" % number for number in range(200))
    async with serve() as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(HANDSHAKE[:-2] + headers + b"\r\n")
        async with asyncio.timeout(5):
            answered = await reader.read()
        writer.close()
    assert answered.startswith(b"HTTP/1.1 431 ")


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.written += data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def test_pongs_do_not_pile_up_for_a_client_that_does_not_read(settings: Settings) -> None:
    async def accepts(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await asyncio.sleep(60)

    config = uvicorn.Config(accepts, log_config=None)
    config.load()
    state = ServerState()
    protocol: Any = websocket_protocol(settings, str)(config=config, server_state=state, app_state={})  # type: ignore[call-arg]
    transport = Transport()
    protocol.connection_made(transport)
    protocol.data_received(HANDSHAKE)
    await until(lambda: transport.written)
    for change, pongs in ((protocol.resume_writing, 1), (protocol.pause_writing, 0)):
        change()
        transport.written = b""
        protocol.data_received(frame(PING, b"x"))
        assert transport.written.count(b"\x8a\x01x") == pongs
    protocol.connection_lost(None)
    for task in state.tasks:
        task.cancel()
