"""Idle connections, on real sockets."""

import asyncio

import pytest

from frontend_proxy.settings import Settings
from tests.frontend_proxy.conftest import Serve

REQUEST = b"GET /health/live HTTP/1.1\r\nHost: lucy\r\n\r\n"


def test_the_default_outlives_a_load_balancer_s_60_seconds() -> None:
    """Else it sends a request into a connection that the proxy is closing, and its client gets a 502."""
    assert Settings(_env_file=None).keep_alive_s > 60


@pytest.mark.nightly
async def test_an_idle_connection_stays_open_for_the_setting(serve: Serve) -> None:
    """uvicorn's default closed it after 5 s; the time for a request's head must not count either."""
    async with serve(keep_alive_s=1.5, head_timeout_s=0.3) as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(2):
            writer.write(REQUEST)
            assert b"HTTP/1.1 200" in await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.8)
        assert await asyncio.wait_for(reader.read(), 10) is not None, "closed by the server in the end"
        writer.close()


async def test_an_idle_connection_is_closed_after_the_setting(serve: Serve) -> None:
    async with serve(keep_alive_s=0.5) as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(REQUEST)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
