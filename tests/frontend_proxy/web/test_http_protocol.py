"""What a connection may do before there is a request, on real sockets."""

import asyncio
import json
from contextlib import AsyncExitStack

import httpx
import pytest

from frontend_proxy.web.http_protocol import MAX_HEAD_BYTES
from tests.frontend_proxy.conftest import Serve


async def sent(address: str, data: bytes, every_s: float = 0) -> tuple[bytes, dict]:
    """`data`, byte by byte if wanted; status line and JSON of what comes back until the server hangs up."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    async def send() -> None:
        for part in [data] if not every_s else [data[i : i + 1] for i in range(len(data))]:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(every_s)

    sending = asyncio.create_task(send())
    try:
        answer = await asyncio.wait_for(reader.read(), 20)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.splitlines()[0] if head else b"", json.loads(body) if body else {}


HEAD = b"GET /health/live HTTP/1.1\r\nHost: lucy\r\nX-Slow: " + b"x" * 400


async def test_a_slowloris_is_cut_off(serve: Serve) -> None:
    """uvicorn waits for a head's end for as long as a byte comes now and then."""
    async with serve(head_timeout_s=0.4) as address:
        status, body = await sent(address, HEAD, every_s=0.05)
    assert status == b"HTTP/1.1 408 Request Timeout"
    assert (body["success"], body["code"]) == (False, "TIMEOUT")


async def test_so_is_one_that_says_nothing(serve: Serve) -> None:
    async with serve(head_timeout_s=0.2) as address:
        status, _ = await sent(address, b"")
    assert status == b"HTTP/1.1 408 Request Timeout"


async def test_so_is_one_on_a_connection_that_was_good_before(serve: Serve) -> None:
    """The first byte of a next request stops uvicorn's own timer of idle connections."""
    async with serve(head_timeout_s=0.4) as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: lucy\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.write(b"G")
        rest = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    assert b"HTTP/1.1 408" in rest


async def test_an_endless_head_is_cut_off(serve: Serve) -> None:
    async with serve() as address:
        status, body = await sent(
            address, b"GET / HTTP/1.1\r\nHost: lucy\r\nX-Long: " + b"x" * MAX_HEAD_BYTES
        )
    assert status == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert body["code"] == "INVALID_INPUT"


async def test_a_large_body_in_one_piece_with_its_head_is_no_large_head(serve: Serve) -> None:
    async with serve() as address, httpx.AsyncClient() as client:
        answer = await client.post(f"http://{address}/virtual-tryon", content=b"[" * 10 * MAX_HEAD_BYTES)
    assert answer.status_code == 400


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00 a TLS hello", b"HELLO\r\n\r\n"])
async def test_what_is_no_http_gets_json_too(serve: Serve, garbage: bytes) -> None:
    async with serve() as address:
        status, body = await sent(address, garbage)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert set(body) == {"success", "error", "detail", "code", "request_id"}
    assert len(body["request_id"]) == 32


async def test_more_connections_than_allowed_are_refused_and_fewer_let_in_again(serve: Serve) -> None:
    async with serve(max_connections=3) as address, httpx.AsyncClient() as client:
        host, port = address.split(":")
        async with AsyncExitStack() as held:
            for _ in range(3):
                _, writer = await asyncio.open_connection(host, int(port))
                held.callback(writer.close)
            await asyncio.sleep(0.1)
            status, body = await sent(address, b"GET /health/live HTTP/1.1\r\nHost: lucy\r\n\r\n")
            assert status == b"HTTP/1.1 503 Service Unavailable"
            assert body["code"] == "OVERLOADED"
        await asyncio.sleep(0.2)
        assert (await client.get(f"http://{address}/health/live")).status_code == 200


async def test_requests_after_one_whose_body_was_not_read_are_answered(serve: Serve) -> None:
    """The timer that cuts off an unread body must not outlive it."""
    async with serve(max_image_bytes=1000) as address, httpx.AsyncClient() as client:
        refused = await client.post(f"http://{address}/virtual-tryon", content=b"x" * 2_000_000)
        assert refused.status_code == 413
        assert (await client.get(f"http://{address}/health/live")).status_code == 200
