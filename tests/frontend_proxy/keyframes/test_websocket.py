"""The connection: its order, its backpressure and its end."""

import asyncio
import base64
import socket

import pytest
import websockets
from websockets.asyncio.client import connect

from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import Serve, encoded
from tests.frontend_proxy.keyframes.messages import answer, keyframe, started


async def test_other_types_are_ignored(serve: Serve) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        for text in ('{"type": "ping"}', "{}", '{"type": ["keyframe"]}'):
            await socket.send(text)
        await socket.send(keyframe(3))
        assert (await answer(socket))["timestamp"] == 3


async def test_the_newest_frame_wins(serve: Serve, server: FakeServer) -> None:
    """A reconnecting client starts one more timer each time, so its rate multiplies."""
    server.delay_s = 0.3
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(0))
        await started(server, 1)
        for timestamp in range(1, 20):
            await socket.send(keyframe(timestamp))
        assert [(await answer(socket))["timestamp"] for _ in range(2)] == [0, 19]
    assert len(server.started) == 2


@pytest.mark.nightly
async def test_nothing_is_computed_for_a_client_that_does_not_read(serve: Serve, server: FakeServer) -> None:
    """uvicorn takes megabytes into its buffers; once they are full, nothing more is computed."""
    frame = (
        "data:image/jpeg;base64,"
        + base64.b64encode(base64.b64decode(encoded("RGB", "JPEG")) + bytes(2 * 2**20)).decode()
    )
    async with serve() as address, connect(f"ws://{address}/ws", max_queue=1, max_size=None) as socket:
        await socket.send(keyframe(0, camera_frame=frame))
        sent = 0
        async with asyncio.timeout(60):
            while True:  # until the buffers are full
                sent += 1
                await socket.send(keyframe(sent, camera_frame=frame))
                try:
                    await asyncio.wait_for(started(server, sent + 1), 2)
                except TimeoutError:
                    break
        await socket.send(keyframe("last"))
        timestamps = []
        while not timestamps or timestamps[-1] != "last":
            timestamps.append((await answer(socket))["timestamp"])
    assert len(server.started) == sent + 1  # the frame after which nothing more was read was never asked for
    assert timestamps[:-1] == sorted(timestamps[:-1])


@pytest.mark.nightly
async def test_few_stale_answers_wait_for_a_slow_reader(serve: Serve, server: FakeServer) -> None:
    """The kernel's send buffer grows to megabytes: dozens of answers that nobody wants any more."""
    frame = base64.b64encode(base64.b64decode(encoded("RGB", "JPEG")) + bytes(100_000)).decode()
    async with serve() as address:
        host, port = address.split(":")
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)  # the client's own part is small
        raw.connect((host, int(port)))
        async with connect(f"ws://{address}/ws", sock=raw, max_queue=1, max_size=None) as slow:
            for number in range(40):
                await slow.send(keyframe(number, camera_frame=frame, seed=number))
                await asyncio.sleep(0.02)
            assert len(server.started) < 12


async def test_closing_the_socket_cancels_the_job(serve: Serve, server: FakeServer) -> None:
    server.delay_s = 60
    async with serve() as address:
        async with connect(f"ws://{address}/ws") as socket:
            await socket.send(keyframe(1))
            await started(server, 1)
        async with asyncio.timeout(5):
            while not server.cancelled:
                await asyncio.sleep(0.01)


async def test_a_cut_connection_cancels_the_job(serve: Serve, server: FakeServer) -> None:
    server.delay_s = 60
    async with serve() as address:
        async with connect(f"ws://{address}/ws") as socket:
            await socket.send(keyframe(1))
            await started(server, 1)
            socket.transport.abort()
        async with asyncio.timeout(5):
            while not server.cancelled:
                await asyncio.sleep(0.01)


async def test_a_message_over_the_limit_ends_the_connection_with_1009(serve: Serve) -> None:
    async with serve(max_image_bytes=1000) as address, connect(f"ws://{address}/ws") as socket:
        await socket.send("x" * 3_000_000)
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await socket.recv()
        assert closed.value.rcvd.code == 1009
