"""Idempotency-Key over HTTP."""

import asyncio

import httpx

from frontend_proxy.errors import ModelUnavailable
from tests.fakes import FakeServer
from tests.frontend_proxy.captures.test_local_captures import ASYNC
from tests.frontend_proxy.conftest import CAPTURE, EVENTS, events_of, until


async def test_the_same_request_twice_is_answered_once(client: httpx.AsyncClient, server: FakeServer) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = await client.post("/virtual-tryon", json=CAPTURE, headers=headers)
    again = await client.post("/virtual-tryon", json=CAPTURE, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    streamed = await client.post("/virtual-tryon", json=CAPTURE, headers={**headers, **EVENTS})
    assert events_of(streamed.text) == [("result", first.json())]
    other = await client.post("/virtual-tryon", json={**CAPTURE, "seed": 9}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(server.started) == 1


async def test_a_repeat_during_the_first_request_is_a_conflict(
    client: httpx.AsyncClient, server: FakeServer
) -> None:
    server.delay_s = 0.3
    headers = {"Idempotency-Key": "k-1"}
    first = asyncio.create_task(client.post("/virtual-tryon", json=CAPTURE, headers=headers))
    await until(lambda: server.started)
    again = await client.post("/virtual-tryon", json=CAPTURE, headers=headers)
    assert (again.status_code, again.json()["code"], again.headers["Retry-After"]) == (409, "CONFLICT", "1")
    accepted = await client.post("/virtual-tryon", json=CAPTURE, headers={**headers, **ASYNC})
    assert accepted.status_code == 202
    assert accepted.json()["result_id"] == (await first).json()["result_id"]
    assert len(server.started) == 1


async def test_after_a_failure_the_same_key_tries_again(
    client: httpx.AsyncClient, server: FakeServer
) -> None:
    headers = {"Idempotency-Key": "k-1"}
    server.error = ModelUnavailable("away")
    assert (await client.post("/virtual-tryon", json=CAPTURE, headers=headers)).status_code == 503
    server.error = None
    assert (await client.post("/virtual-tryon", json=CAPTURE, headers=headers)).status_code == 200
