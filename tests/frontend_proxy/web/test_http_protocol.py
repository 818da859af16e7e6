"""What a connection may do before there is a request, on real sockets."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from frontend_proxy.web.http_protocol import MAX_FRAMING_BYTES, MAX_PIPELINED
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import Serve

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


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


async def test_a_slow_head_is_refused(serve: Serve) -> None:
    """uvicorn waits for a head's end for as long as a byte comes now and then."""
    async with serve(head_timeout_s=0.4) as address:
        status, body = await sent(address, HEAD, every_s=0.05)
    assert status == b"HTTP/1.1 408 Request Timeout"
    assert (body["success"], body["code"]) == (False, "TIMEOUT")


async def test_a_silent_connection_is_closed(serve: Serve) -> None:
    async with serve(head_timeout_s=0.2) as address:
        status, _ = await sent(address, b"")
    assert status == b"HTTP/1.1 408 Request Timeout"


async def test_a_slow_second_head_is_refused_too(serve: Serve) -> None:
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


async def test_a_head_over_the_limit_is_refused(serve: Serve) -> None:
    async with serve() as address:
        status, body = await sent(
            address, b"GET / HTTP/1.1\r\nHost: lucy\r\nX-Long: " + b"x" * MAX_FRAMING_BYTES
        )
    assert status == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert body["code"] == "INVALID_INPUT"


async def test_a_large_body_sent_with_its_head_does_not_count_as_head(serve: Serve) -> None:
    async with serve() as address, httpx.AsyncClient() as client:
        answer = await client.post(f"http://{address}/virtual-tryon", content=b"[" * 10 * MAX_FRAMING_BYTES)
    assert answer.status_code == 400


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00 a TLS hello", b"HELLO\r\n\r\n"])
async def test_invalid_http_is_answered_with_json(serve: Serve, garbage: bytes) -> None:
    async with serve() as address:
        status, body = await sent(address, garbage)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert set(body) == {"success", "error", "detail", "code", "request_id"}
    assert len(body["request_id"]) == 32


HEALTH = b"GET /health/live HTTP/1.1\r\nHost: lucy\r\n\r\n"
BEGUN = b"POST /virtual-tryon HTTP/1.1\r\nHost: lucy\r\nContent-Length: 9\r\n\r\n{"


async def opened(address: str, first: bytes, source: str = "127.0.0.1") -> Connection:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
    writer.write(first)
    if first == HEALTH:
        await reader.readuntil(b"}")
    return reader, writer


async def test_connections_over_the_limit_are_refused_until_others_close(serve: Serve) -> None:
    async with serve(max_connections=3) as address, httpx.AsyncClient() as client:
        async with AsyncExitStack() as held:
            for _ in range(3):
                _, writer = await opened(address, BEGUN)
                held.callback(writer.close)
            await asyncio.sleep(0.1)
            status, body = await sent(address, HEALTH)
            assert status == b"HTTP/1.1 503 Service Unavailable"
            assert body["code"] == "OVERLOADED"
        await asyncio.sleep(0.2)
        assert (await client.get(f"http://{address}/health/live")).status_code == 200


@pytest.mark.parametrize("first", [b"", HEALTH])
async def test_idle_connections_of_one_address_do_not_keep_others_out(serve: Serve, first: bytes) -> None:
    """An address without credentials could hold all connections, by a request to each in KEEP_ALIVE_S."""
    async with serve(max_connections=4) as address, AsyncExitStack() as held:
        honest = await opened(address, HEALTH)
        held.callback(honest[1].close)
        many = [await opened(address, first, "127.0.0.2") for _ in range(3)]
        for _, writer in many:
            held.callback(writer.close)
        await asyncio.sleep(0.1)
        asked_once = HEALTH.replace(b"Host", b"Connection: close\r\nHost")
        assert (await sent(address, asked_once))[0] == b"HTTP/1.1 200 OK"
        assert await many[0][0].read() == b"", "that was idle for longest"
        honest[1].write(HEALTH)
        assert b"200 OK" in await honest[0].readuntil(b"}")


async def test_requests_after_one_whose_body_was_not_read_are_answered(serve: Serve) -> None:
    """The timer that cuts off an unread body must not outlive it."""
    async with serve(max_image_bytes=1000) as address, httpx.AsyncClient() as client:
        refused = await client.post(f"http://{address}/virtual-tryon", content=b"x" * 2_000_000)
        assert refused.status_code == 413
        assert (await client.get(f"http://{address}/health/live")).status_code == 200


# What comes after a head of a chunked request, in pieces of 8 KiB, with next to no body.
POST = b"POST /virtual-tryon HTTP/1.1\r\nHost: lucy\r\nTransfer-Encoding: chunked\r\n"
FILLER = b"x" * 2**13
ENDLESS = {
    "chunk extension": (b"1;", FILLER, b"\r\na\r\n0\r\n\r\n"),
    "many chunk extensions": (b"", b"1;a=" + b"b" * 8000 + b"\r\nx\r\n", b"0\r\n\r\n"),
    "small chunks": (b"", b"1\r\nx\r\n" * 1000, b"0\r\n\r\n"),
    "trailer": (b"1\r\nx\r\n0\r\nX-Trailer: ", FILLER, b"\r\n\r\n"),
    "trailers": (b"1\r\nx\r\n0\r\n", b"X-Trailer: y\r\n" * 600, b"\r\n"),
}


async def flood(address: str, head: bytes, kind: str, most: int = 2**23) -> tuple[int, bytes]:
    """How many bytes the server took, of at most `most`, and what it answered."""
    start, filler, _ = ENDLESS[kind]
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answering = asyncio.create_task(reader.read())
    took = 0
    with contextlib.suppress(ConnectionError):
        writer.write(head + b"\r\n" + start)
        while took < most and not answering.done():
            writer.write(filler)
            await writer.drain()
            took += len(filler)
            await asyncio.sleep(0.001)
    with contextlib.suppress(ConnectionError):
        answer = await asyncio.wait_for(answering, 10)
    writer.close()
    return took, answer


@pytest.mark.parametrize("kind", ENDLESS)
async def test_bytes_beside_the_body_are_bounded(serve: Serve, kind: str) -> None:
    """Chunk extensions and trailers took 404 MB in 5 s. Sent slowly, so that the answer is not lost."""
    start, filler, end = ENDLESS[kind]
    async with serve() as address:
        status, body = await sent(address, POST + b"\r\n" + start + filler * 24 + end)
        assert status == b"HTTP/1.1 400 Bad Request"
        assert "beside its body" in body["error"]
        took, _ = await flood(address, POST, kind)
        assert took < 2**21  # the limit, and what the kernel's buffers hold


@pytest.mark.parametrize("kind", ENDLESS)
async def test_bytes_beside_the_body_are_bounded_after_the_answer(serve: Serve, kind: str) -> None:
    async with serve(api_keys="secret-secret-secret") as address:
        took, answer = await flood(address, POST, kind)
    assert answer.startswith(b"HTTP/1.1 401") or not answer  # a reset may have destroyed it
    assert took < 2**21


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", ENDLESS)
async def test_bytes_beside_a_body_that_nobody_reads_are_bounded(
    serve: Serve, server: FakeServer, kind: str
) -> None:
    async def busy() -> None:
        await asyncio.sleep(5)

    server.health = busy  # type: ignore[method-assign, assignment]
    async with serve() as address:
        took, _ = await flood(address, POST.replace(b"POST /virtual-tryon", b"GET /health"), kind)
    assert took < 2**21


async def test_trailers_are_ignored(serve: Serve) -> None:
    """uvicorn adds them to the headers that the application reads, after they were checked."""
    keyed = POST + b"\r\n1\r\n{\r\n0\r\nContent-Type: multipart/form-data\r\nX-Request-ID: trailer\r\n\r\n"
    async with serve() as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(keyed)
        answer = await reader.readuntil(b"}")
        writer.close()
    assert b"not JSON" in answer
    assert b"trailer" not in answer


async def test_a_large_chunked_body_is_accepted(serve: Serve) -> None:
    """8 MiB in chunks of 4 KiB, as a client streams a file."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(2048):
            yield b"[" * 4096

    async with serve() as address, httpx.AsyncClient() as client:
        for _ in range(2):  # on one connection
            answer = await client.post(f"http://{address}/virtual-tryon", content=body())
            assert answer.json()["error"].startswith("not JSON")


async def test_pipelined_requests_are_answered_up_to_a_number(serve: Serve, server: FakeServer) -> None:
    """Each that waits takes some kilobytes, and a read of the socket can hold thousands."""
    request = b"GET /health HTTP/1.1\r\nHost: lucy\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: lucy\r\nConnection: close\r\n\r\n"
    async with serve() as address:
        host, port = address.split(":")
        for count, answered in ((MAX_PIPELINED, MAX_PIPELINED), (2000, 0)):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(request * (count - 1) + last)
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            assert answer.count(b"HTTP/1.1 200") == answered
