"""What an honest client counts, against a server of known behaviour."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import serve

from benchmarks.hostile import honest
from benchmarks.hostile.honest import Seen, Session


class Numbers:
    def __getitem__(self, number):
        return json.dumps({"timestamp": number})


@asynccontextmanager
async def session_with(handle):
    seen = Seen()
    async with serve(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield Session(f"http://127.0.0.1:{port}", "key", Numbers(), seen), seen


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(honest, "INTERVAL_S", 0.1)
    monkeypatch.setattr(honest, "ANSWERED_WITHIN_S", 0.5)


async def test_every_keyframe_has_the_latency_of_the_answer_that_replaced_it():
    async def every_third(socket):
        async for text in socket:
            if json.loads(text)["timestamp"] % 3 == 2:
                await socket.send(json.dumps({**json.loads(text), "type": "keyframe_result", "mode": "ai"}))

    async with session_with(every_third) as (session, seen):
        await session.run(0, 0.55)
    assert len(seen.latencies_ms) == 6
    assert seen.answers == {"ai": 2}
    assert not seen.failures
    assert seen.latencies_ms[0] > 190
    assert seen.latencies_ms[2] < 90


async def test_a_closed_socket_is_a_failure_and_is_opened_again():
    async def one_each(socket):
        await socket.recv()
        await socket.close(1011)

    async with session_with(one_each) as (session, seen):
        await session.run(0, 0.5)
    assert seen.failures["ConnectionClosedError 1011"] >= 2
    assert max(seen.latencies_ms) == 500


async def test_a_keyframe_without_an_answer_is_a_failure():
    async def silent(socket):
        await socket.wait_closed()

    async with session_with(silent) as (session, seen):
        await session.run(0, 0.15)
    assert seen.failures == {"no answer": 1}
    assert seen.latencies_ms == [500.0, 500.0]


async def test_an_error_is_a_failure_by_its_code():
    async def erring(socket):
        async for text in socket:
            await socket.send(json.dumps({**json.loads(text), "type": "error", "code": "OVERLOADED"}))

    async with session_with(erring) as (session, seen):
        await session.run(0, 0.15)
    assert seen.failures == {"OVERLOADED": 2}


async def test_a_probe_that_waits_counts_from_when_it_was_due(monkeypatch):
    monkeypatch.setattr(honest, "PROBE_EVERY_S", 0.05)

    async def slow(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.2)
        writer.write(b"HTTP/1.1 503 .\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    server, seen, began = await asyncio.start_server(slow, "127.0.0.1", 0), Seen(), time.monotonic()
    async with server:
        await honest.probe_health(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen, 0.5)
    assert time.monotonic() - began < 5, "they do not wait for each other"
    assert len(seen.health_ms) == 10
    assert min(seen.health_ms) > 190
    assert seen.failures == {"/health 503": 10}
