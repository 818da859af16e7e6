"""Webhooks of captures over HTTP, without Redis."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from frontend_proxy.app import create_app
from frontend_proxy.captures.deliveries import Deliveries
from frontend_proxy.captures.results import Results
from frontend_proxy.errors import InferenceFailed, ProxyError
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.captures.test_local_captures import ASYNC, ended
from tests.frontend_proxy.captures.test_webhooks import SECRET
from tests.frontend_proxy.conftest import CAPTURE, Serve, until
from tests.receiver import receiving


@asynccontextmanager
async def serving_webhooks(serve: Serve, **changes: object) -> AsyncIterator[httpx.AsyncClient]:
    secret = Settings(_env_file=None, webhook_secret=SECRET).webhook_secret
    settings = {"webhook_secret": secret, "webhook_private_hosts": ["localhost"], **changes}
    async with (
        serve(**settings) as address,
        httpx.AsyncClient(base_url=f"http://{address}", timeout=10) as client,
    ):
        yield client


@pytest.mark.parametrize("error", [None, InferenceFailed("no finite pixels")])
async def test_a_webhook_reports_the_end(serve: Serve, server: FakeServer, error: ProxyError | None) -> None:
    server.error = error
    async with receiving() as receiver, serving_webhooks(serve) as client:
        capture = {**CAPTURE, "webhook_url": receiver.url}
        accepted = await client.post("/virtual-tryon", json=capture, headers=ASYNC)
        await until(lambda: receiver.requests)
        message = json.loads(receiver.requests[0].body)
        assert receiver.requests[0].headers["webhook-id"] == accepted.json()["result_id"]
        assert message["data"]["url"] == accepted.headers["Location"]
        if error is None:
            assert message["type"] == "capture.succeeded"
            assert (await client.get(message["data"]["images"][0]["url"])).status_code == 200
        else:
            assert message["type"] == "capture.failed"
            assert message["data"]["failure"]["code"] == "INFERENCE_FAILED"
        await asyncio.sleep(0.05)
        assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("url", "headers", "said"),
    [
        ("https://127.0.0.1/", ASYNC, "not on the public internet"),
        ("http://shop.example/", ASYNC, "https"),
        ("https://shop.example/", {}, "respond-async"),
    ],
)
async def test_a_webhook_to_an_internal_address_is_refused(
    settings: Settings, server: FakeServer, url: str, headers: dict[str, str], said: str
) -> None:
    secret = Settings(_env_file=None, webhook_secret=SECRET).webhook_secret
    app = create_app(settings.model_copy(update={"webhook_secret": secret}), server)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lucy.test") as client:
        response = await client.post("/virtual-tryon", json={**CAPTURE, "webhook_url": url}, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT")
    assert said in response.json()["error"]
    assert not server.started


async def test_a_failed_delivery_is_retried(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deliveries.__init__, "__defaults__", ((0.02, 0.02),))
    async with receiving() as receiver, serving_webhooks(serve) as client:
        receiver.statuses = [500, 404, 200]
        accepted = await client.post(
            "/virtual-tryon", json={**CAPTURE, "webhook_url": receiver.url}, headers=ASYNC
        )
        await until(lambda: len(receiver.requests) == 3)
        assert {request.headers["webhook-id"] for request in receiver.requests} == {
            accepted.json()["result_id"]
        }


async def test_a_delivery_survives_a_restart(
    serve: Serve, settings: Settings, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deliveries.__init__, "__defaults__", ((0.5, 0.5),))
    async with serving_webhooks(serve, workers=True) as client:
        url = f"http://localhost:{free_port}/"
        accepted = await client.post("/virtual-tryon", json={**CAPTURE, "webhook_url": url}, headers=ASYNC)
        await ended(client, accepted.headers["Location"])
    async with receiving(free_port) as receiver, serving_webhooks(serve, workers=True):
        await until(lambda: receiver.requests)
    assert receiver.requests[0].headers["webhook-id"] == accepted.json()["result_id"]


def is_free(results: Results, result_id: str) -> bool:
    lock = results.lock(result_id)
    if lock is None:
        return False
    lock.release()
    return True


async def test_a_dead_receiver_holds_no_slot_lock_or_task(
    serve: Serve, server: FakeServer, settings: Settings, free_port: int
) -> None:
    server.error = InferenceFailed("no finite pixels")
    results = Results(settings.results_dir)
    async with serving_webhooks(serve) as client:
        tasks = len(asyncio.all_tasks())
        for _ in range(10):
            capture = {**CAPTURE, "webhook_url": f"http://localhost:{free_port}/"}
            accepted = await client.post("/virtual-tryon", json=capture, headers=ASYNC)
            assert accepted.status_code == 202
            await ended(client, accepted.headers["Location"])
        await until(lambda: len(asyncio.all_tasks()) <= tasks + 3)  # the delivery loop, and a connection
        for path in settings.results_dir.iterdir():
            await until(lambda name=path.name: is_free(results, name))  # its first attempt may still run


async def test_a_removed_secret_does_not_stop_the_sweep(
    serve: Serve, settings: Settings, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontend_proxy.captures.local_captures.SWEEP_EVERY_S", 0.05)
    async with serving_webhooks(serve) as client:
        capture = {**CAPTURE, "webhook_url": f"http://localhost:{free_port}/"}
        accepted = await client.post("/virtual-tryon", json=capture, headers=ASYNC)
        await ended(client, accepted.headers["Location"])
    async with (
        serve(workers=True, capture_timeout_s=0.5, results_lifetime_s=0.1) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        short = (await client.post("/virtual-tryon", json=CAPTURE)).json()["result_id"]
        await until(lambda: not (settings.results_dir / short).exists(), within_s=10)
        assert (await client.get("/health/ready")).json()["failing"] == []
        assert (settings.results_dir / accepted.json()["result_id"]).exists()


@pytest.mark.nightly
async def test_hosts_whose_lookup_hangs_stop_nobody(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """They filled the default executor, so that every `to_thread` waited 12 s."""
    released, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: Any, **options: Any) -> Any:
        if host.endswith("hang.example"):
            released.wait(30)
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with receiving() as receiver, serving_webhooks(serve) as client:
        hanging = [
            asyncio.create_task(
                client.post(
                    "/virtual-tryon",
                    json={**CAPTURE, "webhook_url": f"https://{n}.hang.example/"},
                    headers=ASYNC,
                )
            )
            for n in range(50)
        ]
        await asyncio.sleep(0.2)
        async with asyncio.timeout(5):
            assert (await client.post("/virtual-tryon", json=CAPTURE)).status_code == 200
            capture = {**CAPTURE, "webhook_url": receiver.url}
            assert (await client.post("/virtual-tryon", json=capture, headers=ASYNC)).status_code == 202
            await until(lambda: receiver.requests)
        released.set()
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
