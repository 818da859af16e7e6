"""`/api/batches` in one process, with a fake model."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from frontend_proxy.app import batch_store
from frontend_proxy.background import Background
from frontend_proxy.captures.record import Record
from frontend_proxy.captures.results import CaptureLock, Results
from frontend_proxy.errors import InferenceFailed
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.batches.proxies import proxy
from tests.frontend_proxy.conftest import CAPTURE, FRAME, RENDER, until

JSON_LINES = {"Content-Type": "application/jsonl"}


@pytest.fixture
async def client(settings: Settings, server: FakeServer) -> AsyncIterator[httpx.AsyncClient]:
    async with proxy(settings, server, max_batch_captures=5, max_batches=2) as client:
        yield client


async def ended(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while (status := (await client.get(url)).json())["state"] in ("running", "cancelling"):
            await asyncio.sleep(0.05)
    return dict(status)


async def results(client: httpx.AsyncClient, status: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.get(status["results_url"])
    assert answer.headers["Content-Type"] == "application/jsonl"
    return [json.loads(line) for line in answer.text.splitlines()]


def captures(count: int) -> list[dict[str, Any]]:
    return [{**CAPTURE, "seed": number, "custom_id": f"look {number}"} for number in range(count)]


async def test_every_capture_of_a_batch_is_made(client: httpx.AsyncClient, server: FakeServer) -> None:
    accepted = await client.post("/api/batches", json={"captures": captures(3)})
    assert accepted.status_code == 202, accepted.text
    assert accepted.headers["Location"] == accepted.json()["url"]
    status = await ended(client, accepted.json()["url"])
    assert status["state"] == "completed"
    assert status["counts"] == {
        "total": 3,
        "waiting": 0,
        "running": 0,
        "succeeded": 3,
        "failed": 0,
        "cancelled": 0,
    }
    lines = await results(client, status)
    assert [line["custom_id"] for line in lines] == ["look 0", "look 1", "look 2"]
    assert [line["result"]["seed"] for line in lines] == [0, 1, 2]
    image = await client.get(lines[2]["result"]["images"][0]["url"])
    assert image.status_code == 200
    assert {job.mode for job in server.finished} == {"batch"}, "they make way for others"
    one = await client.get(f"/virtual-tryon/{lines[0]['result']['result_id']}")
    assert one.json()["state"] == "succeeded"


@pytest.mark.parametrize(
    "kind", ["lines", "list", "form", "form of a list", "a single one", "curl's default"]
)
async def test_a_batch_may_be_a_file(client: httpx.AsyncClient, kind: str) -> None:
    asked = captures(1 if kind == "a single one" else 2)
    lines = "\n".join(json.dumps(capture) for capture in asked) + "\n"
    if kind == "lines":
        accepted = await client.post("/api/batches", content=lines, headers=JSON_LINES)
    elif kind == "curl's default":
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        accepted = await client.post("/api/batches", content=lines, headers=form)
    elif kind == "list":
        accepted = await client.post("/api/batches", json=asked)
    elif kind == "a single one":
        accepted = await client.post("/api/batches", json=asked[0])
    else:
        content = json.dumps(asked) if "list" in kind else lines
        accepted = await client.post("/api/batches", files={"captures": ("captures.jsonl", content)})
    assert accepted.status_code == 202, accepted.text
    status = await ended(client, accepted.json()["url"])
    assert status["counts"]["succeeded"] == len(asked)


@pytest.mark.parametrize("as_file", [False, True])
async def test_a_million_lines_are_refused_unread(client: httpx.AsyncClient, as_file: bool) -> None:
    lines = b"x\n" * 10**6
    if as_file:
        refused = await client.post("/api/batches", files={"captures": ("captures.jsonl", lines)})
    else:
        refused = await client.post("/api/batches", content=lines, headers=JSON_LINES)
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_INPUT")
    assert "more than 20,000 lines" in refused.text


async def test_a_picture_that_many_captures_show_is_sent_once(
    client: httpx.AsyncClient, server: FakeServer
) -> None:
    looks = [{"user_image": "anna", "jacket_render": name, "pose": None} for name in ("coat", "coat")]
    images = {"anna": FRAME, "coat": RENDER}
    accepted = await client.post("/api/batches", json={"captures": looks, "images": images})
    assert (await ended(client, accepted.json()["url"]))["counts"]["succeeded"] == 2
    first, second = server.finished
    assert first.camera_frame == second.camera_frame
    assert first.jacket_render


async def test_one_bad_capture_fails_alone(client: httpx.AsyncClient) -> None:
    good, bad = captures(2)
    lines = [json.dumps(good), "{not json", json.dumps({**bad, "user_image": "bm90IGEgcGljdHVyZQ=="}), "7"]
    accepted = await client.post("/api/batches", content="\n".join(lines), headers=JSON_LINES)
    status = await ended(client, accepted.json()["url"])
    assert (status["counts"]["succeeded"], status["counts"]["failed"]) == (1, 3)
    _, broken, picture, number = await results(client, status)
    assert broken["failure"]["code"] == "INVALID_INPUT"
    assert picture["failure"]["code"] == "IMAGE_DECODE"
    assert picture["custom_id"] == "look 1"
    assert "object" in number["failure"]["error"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"captures": []}, "one capture or more"),
        ({"captures": [{}, {}]}, "captures.0: user_image"),
        ({"captures": captures(6)}, "at most 5"),
        ({"captures": [{**CAPTURE, "webhook_url": "https://shop.example"}]}, "give it to the batch"),
        ({"captures": [{**CAPTURE, "steps": 1000}]}, "steps: at most"),
        ({"captures": captures(1), "webhook_url": "https://shop.example"}, "no webhooks"),
        ({}, "captures"),
        ("text", "JSON object"),
    ],
)
async def test_a_batch_that_cannot_be_made_is_refused_with_the_reason(
    client: httpx.AsyncClient, body: Any, says: str
) -> None:
    refused = await client.post("/api/batches", json=body)
    assert refused.status_code == 400, refused.text
    assert says in refused.json()["error"]


async def test_a_capture_that_fails_says_why(client: httpx.AsyncClient, server: FakeServer) -> None:
    server.error = InferenceFailed("the model failed")
    accepted = await client.post("/api/batches", json={"captures": captures(1)})
    status = await ended(client, accepted.json()["url"])
    (line,) = await results(client, status)
    assert (line["state"], line["failure"]["code"], line["result"]) == ("failed", "INFERENCE_FAILED", None)


async def test_a_cancelled_batch_keeps_what_is_done(client: httpx.AsyncClient, server: FakeServer) -> None:
    server.delay_s = 0.3
    accepted = await client.post("/api/batches", json={"captures": captures(4)})
    await until(lambda: server.finished)
    server.delay_s = 60
    await until(lambda: len(server.started) > len(server.finished))
    cancelled = await client.post(accepted.json()["url"] + "/cancel")
    assert cancelled.json()["state"] in ("cancelling", "cancelled")
    status = await ended(client, accepted.json()["url"])
    assert status["state"] == "cancelled"
    assert status["counts"]["succeeded"] >= 1
    assert status["counts"]["cancelled"] >= 1
    assert server.cancelled
    assert (await client.post(accepted.json()["url"] + "/cancel")).json()["state"] == "cancelled"


async def test_a_deleted_batch_leaves_nothing(
    client: httpx.AsyncClient, server: FakeServer, settings: Settings
) -> None:
    server.delay_s = 60
    accepted = await client.post("/api/batches", json={"captures": captures(2)})
    await until(lambda: server.started)
    url = accepted.json()["url"]
    assert (await client.delete(url)).json() == {"success": True, "batch_id": accepted.json()["batch_id"]}
    assert (await client.get(url)).status_code == 404
    assert (await client.get(url + "/results")).status_code == 404
    await until(lambda: not [path for path in settings.results_dir.glob("**/*") if path.is_file()])
    assert server.cancelled


async def test_nobody_waits_for_a_batch(settings: Settings, server: FakeServer) -> None:
    """Its captures once took the slots of those that somebody waits for, who got 429."""
    server.delay_s = 0.5
    async with proxy(settings, server, max_captures=1, max_batch_captures_at_once=1) as client:
        accepted = await client.post("/api/batches", json={"captures": captures(3)})
        await until(lambda: server.started)
        assert (await client.post("/virtual-tryon", json=CAPTURE)).status_code == 200
        await ended(client, accepted.json()["url"])
        at_once = [job.mode for job in server.finished]
        assert sorted(at_once) == ["batch"] * 3 + ["capture"]


async def test_a_batch_that_has_ended_is_not_read_with_each_poll(
    settings: Settings, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand of them, of a thousand captures each, took five seconds every second."""
    read: list[str] = []
    whole = Results._read

    def spy(self: Results, result_id: str) -> Record | None:
        read.append(result_id)
        return whole(self, result_id)

    async with proxy(settings, server) as client:
        first = (await client.post("/api/batches", json={"captures": captures(1)})).json()
        await ended(client, first["url"])
        await until((settings.results_dir / "batches" / first["batch_id"] / "done").exists)
    monkeypatch.setattr(Results, "_read", spy)
    assert await batch_store(settings, Background()).unfinished() == {}
    assert read == []


async def test_a_batch_survives_a_restart(settings: Settings, server: FakeServer) -> None:
    server.delay_s = 60
    async with proxy(settings, server) as client:
        accepted = (await client.post("/api/batches", json={"captures": captures(3)})).json()
        await until(lambda: server.started)
    again = FakeServer()
    async with proxy(settings, again) as client:
        status = await ended(client, accepted["url"])
        assert status["counts"]["succeeded"] == 3
        assert [line["result"]["seed"] for line in await results(client, status)] == [0, 1, 2]


@pytest.mark.nightly
async def test_a_restart_while_captures_are_put_into_the_queue(
    settings: Settings, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was begun after the end kept its lock, and the next process waited for it."""
    create = Results.create

    def slow(results: Results, record: Record) -> CaptureLock:
        time.sleep(0.3)
        return create(results, record)

    monkeypatch.setattr(Results, "create", slow)
    await test_a_batch_survives_a_restart(settings, server)


async def test_too_many_batches_are_refused(client: httpx.AsyncClient, server: FakeServer) -> None:
    server.delay_s = 60
    for _ in range(2):
        assert (await client.post("/api/batches", json={"captures": captures(1)})).status_code == 202
    refused = await client.post("/api/batches", json={"captures": captures(1)})
    assert refused.status_code == 429
    assert refused.headers["Retry-After"]


async def test_a_repeated_request_gets_the_same_batch(client: httpx.AsyncClient, server: FakeServer) -> None:
    headers = {"Idempotency-Key": "the same"}
    sent = {"captures": captures(1)}
    first, second = [await client.post("/api/batches", json=sent, headers=headers) for _ in range(2)]
    assert first.json()["batch_id"] == second.json()["batch_id"]
    other = await client.post("/api/batches", json={"captures": captures(2)}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    capture = await client.post("/virtual-tryon", json=CAPTURE, headers=headers)
    assert capture.status_code == 200, "a batch's keys are not those of captures"
    await ended(client, first.json()["url"])
    assert len([job for job in server.finished if job.mode == "batch"]) == 1


@pytest.mark.nightly
async def test_what_has_not_begun_before_the_deadline_fails(settings: Settings, server: FakeServer) -> None:
    server.delay_s = 0.6
    changes = {"batch_lifetime_s": 1.0, "max_batch_captures_at_once": 1, "max_batch_captures": 20}
    async with proxy(settings, server, **changes) as client:
        accepted = await client.post("/api/batches", json={"captures": captures(12)})
        await asyncio.sleep(1.2)
        status = await ended(client, accepted.json()["url"])
        assert status["counts"]["failed"] >= 1
        assert {line["failure"]["code"] for line in await results(client, status) if line["failure"]} == {
            "TIMEOUT"
        }
