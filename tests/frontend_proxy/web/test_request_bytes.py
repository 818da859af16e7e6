"""The budget for bytes in flight, on real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import CAPTURE, FRAME, RENDER, Serve, until

MIB = 2**20
# Bodies of at most 1.1 MiB, and 3 MiB of them at once.
SMALL = {
    "max_image_bytes": 2**15,
    "max_photo_bytes": 2**15,
    "max_video_bytes": 2**15,
    "max_batch_bytes": 2**15,
    "max_bytes_in_flight": 3 * MIB,
    "max_bytes_in_flight_per_address": 2 * MIB,
}
KEYFRAME = json.dumps({"type": "keyframe", "timestamp": 7, "camera_frame": FRAME, "jacket_render": RENDER})


class Unfinished:
    """A request whose body of `size` bytes is sent but for its last byte."""

    def __init__(self, address: str, size: int, source: str = "127.0.0.1") -> None:
        self._address, self._size, self._source = address, size, source

    async def __aenter__(self) -> "Unfinished":
        host, port = self._address.split(":")
        self._reader, self._writer = await asyncio.open_connection(
            host, int(port), local_addr=(self._source, 0)
        )
        self._writer.write(
            b"POST /virtual-tryon HTTP/1.1\r\nHost: lucy\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % (self._size + 1)
        )
        self._writer.write(b" " * self._size)
        await self._writer.drain()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._writer.close()

    async def status(self) -> int | None:
        """None where there is no answer yet."""
        try:
            async with asyncio.timeout(0.5):
                return int((await self._reader.readline()).split()[1])
        except TimeoutError:
            return None


async def test_unfinished_bodies_of_one_address_are_bounded(serve: Serve) -> None:
    """20 of 27 MiB took 541 MB."""
    async with serve(**SMALL) as address, httpx.AsyncClient() as client:
        async with AsyncExitStack() as held:
            bodies = [await held.enter_async_context(Unfinished(address, MIB)) for _ in range(4)]
            assert sorted([await body.status() for body in bodies], key=str) == [429, 429, None, None]
            answer = await client.post(f"http://{address}/virtual-tryon", content=b" " * MIB)
            assert (answer.status_code, answer.json()["code"]) == (429, "OVERLOADED")
            assert answer.headers["Retry-After"] == "2"
        async with asyncio.timeout(10):  # the server notices that they are gone
            while answer.json()["code"] == "OVERLOADED":
                answer = await client.post(f"http://{address}/virtual-tryon", content=b" " * MIB)
        assert answer.json()["code"] == "INVALID_INPUT"  # it was read, and is not JSON


async def test_a_full_server_makes_room_for_other_addresses(serve: Serve) -> None:
    sources = ("127.0.0.2", "127.0.0.2", "127.0.0.3")
    async with serve(**SMALL) as address, AsyncExitStack() as held, httpx.AsyncClient() as client:
        bodies = [await held.enter_async_context(Unfinished(address, MIB, source)) for source in sources]
        await asyncio.sleep(0.2)
        answer = await client.post(f"http://{address}/virtual-tryon", json=CAPTURE)
        assert answer.status_code == 200
        heavier, also_heavier, lighter = [await body.status() for body in bodies]
        assert {heavier, also_heavier} == {429, None}
        assert lighter is None


async def test_bytes_are_given_back_after_each_answer(serve: Serve) -> None:
    async with serve(**SMALL) as address, httpx.AsyncClient() as client:
        for _ in range(6):
            answer = await client.post(f"http://{address}/virtual-tryon", content=b" " * MIB)
            assert answer.status_code == 400


async def test_a_body_without_a_length_counts_as_it_arrives(serve: Serve) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(16):
            yield b" " * 2**16

    async with (
        serve(**SMALL) as address,
        httpx.AsyncClient() as client,
        Unfinished(address, MIB),
        Unfinished(address, MIB),
    ):
        await asyncio.sleep(0.2)
        answer = await client.post(f"http://{address}/virtual-tryon", content=body())
        assert answer.status_code == 429


async def half_message(address: str, size: int, source: str = "127.0.0.1") -> connect:
    """A socket with a message that has begun and does not end."""
    socket = await connect(f"ws://{address}/ws", max_size=None, local_addr=(source, 0))

    async def fragments() -> AsyncIterator[str]:
        for _ in range(size // 2**16):
            yield "x" * 2**16
        await asyncio.Event().wait()

    socket.sending = asyncio.create_task(socket.send(fragments()))  # type: ignore[attr-defined]
    return socket


async def test_messages_that_arrive_count_and_close_with_1013(serve: Serve) -> None:
    async with serve(**SMALL) as address:
        sockets = [await half_message(address, MIB - 2**16) for _ in range(3)]
        await until(lambda: any(socket.close_code for socket in sockets))
        await asyncio.sleep(0.2)
        assert sorted(socket.close_code or 0 for socket in sockets) == [0, 0, 1013]
        for socket in sockets:
            socket.sending.cancel()
            await asyncio.gather(socket.sending, return_exceptions=True)
            socket.transport.abort()
        await asyncio.sleep(0.2)
        async with connect(f"ws://{address}/ws") as honest:
            await honest.send(KEYFRAME)
            assert json.loads(await honest.recv())["mode"] == "ai_enhanced"


async def test_a_full_server_makes_room_for_other_addresses_on_sockets(serve: Serve) -> None:
    async with serve(**SMALL) as address:
        sources = ("127.0.0.2", "127.0.0.2", "127.0.0.3")
        sockets = [await half_message(address, MIB - 2**16, source) for source in sources]
        await asyncio.sleep(0.2)
        padded = KEYFRAME[:-1] + ', "padding": "' + "x" * (MIB * 3 // 4) + '"}'
        async with connect(f"ws://{address}/ws") as honest:
            await honest.send(padded)
            assert json.loads(await honest.recv())["mode"] == "ai_enhanced"
        await until(lambda: any(socket.close_code for socket in sockets))
        assert sorted(socket.close_code or 0 for socket in sockets[:2]) == [0, 1013]
        assert sockets[2].close_code is None
        for socket in sockets:
            socket.sending.cancel()
            await asyncio.gather(socket.sending, return_exceptions=True)
            socket.transport.abort()


async def test_keyframes_count_until_they_are_answered(serve: Serve, server: FakeServer) -> None:
    """Each socket holds one that is being answered and one that waits."""
    server.delay_s = 30
    padded = KEYFRAME[:-1] + ', "padding": "' + "x" * (MIB * 3 // 4) + '"}'
    async with serve(**SMALL, keyframe_timeout_s=30.0) as address, AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connect(f"ws://{address}/ws")) for _ in range(3)]
        for socket in sockets:
            await socket.send(padded)
            await asyncio.sleep(0.1)
        with pytest.raises(ConnectionClosed) as closed:
            await sockets[2].recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        for socket in sockets[:2]:
            socket.transport.abort()
        await asyncio.sleep(0.2)
        server.delay_s = 0
        async with connect(f"ws://{address}/ws") as honest:
            for _ in range(8):  # and no longer
                await honest.send(padded)
                assert json.loads(await honest.recv())["mode"] == "ai_enhanced"
