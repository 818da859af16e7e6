"""Pictures from a server on this machine, and the bytes that they take of the budget."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from frontend_proxy.errors import TooManyRequests
from frontend_proxy.fashn.fetched_pictures import FetchedPictures
from frontend_proxy.settings import Settings
from frontend_proxy.web.byte_budget import ByteBudget, Hold
from tests.frontend_proxy.conftest import until

SIZE = 50_000


@pytest.fixture
def pictures(settings: Settings) -> FetchedPictures:
    return FetchedPictures(settings.model_copy(update={"picture_private_hosts": ["127.0.0.1"]}))


@asynccontextmanager
async def server(sent: int) -> AsyncIterator[str]:
    """The URL of a picture of `SIZE` bytes, of which so many are sent."""
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + bytes(sent))
        await writer.drain()
        if sent < SIZE:
            await ended.wait()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        try:
            host, port = listening.sockets[0].getsockname()
            yield f"http://{host}:{port}/a.png"
        finally:
            ended.set()


def hold(total: int = 10 * SIZE, per_address: int = 2 * SIZE) -> Hold:
    return ByteBudget(total, per_address).hold("1.1.1.1")


async def test_bytes_count_as_long_as_the_hold_lives(pictures: FetchedPictures) -> None:
    held = hold()
    async with server(SIZE) as url:
        for count in (1, 2):
            assert await pictures.get("mask", url, held) == bytes(SIZE)
            assert held.size == count * SIZE
        with pytest.raises(TooManyRequests):
            await pictures.get("mask", url, held)


async def test_a_slow_picture_makes_room_for_a_smaller_caller(pictures: FetchedPictures) -> None:
    budget = ByteBudget(SIZE, SIZE)
    held = budget.hold("1.1.1.1")
    async with server(SIZE - 1) as url:
        fetched = asyncio.create_task(pictures.get("mask", url, held))
        await until(lambda: held.size == SIZE - 1)
        budget.hold("2.2.2.2").grow(1000)
        with pytest.raises(TooManyRequests, match="held more than any other"):
            await fetched
    assert held.size == 0


async def test_text_that_is_no_url_takes_nothing(pictures: FetchedPictures) -> None:
    held = hold()
    assert await pictures.get("mask", "Zm9v", held) == "Zm9v"
    assert held.size == 0
