"""The disk under the captures: expiry, limits and faults."""

import asyncio
import os
import time

import httpx
import pytest

from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.captures.test_local_captures import ASYNC, ended
from tests.frontend_proxy.conftest import CAPTURE, Serve, until


async def test_results_are_removed_when_their_time_is_over(
    serve: Serve, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontend_proxy.captures.local_captures.SWEEP_EVERY_S", 0.05)
    async with (
        serve(workers=True, capture_timeout_s=0.5, results_lifetime_s=0.1) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        result = (await client.post("/virtual-tryon", json=CAPTURE)).json()
        assert os.listdir(settings.results_dir) == [result["result_id"]]
        began = time.monotonic()
        while os.listdir(settings.results_dir):
            assert time.monotonic() - began < 10
            await asyncio.sleep(0.05)


async def test_a_full_disk_is_507_and_frees_the_slot(
    client: httpx.AsyncClient, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        for _ in range(3):
            response = await client.post("/virtual-tryon", json=CAPTURE)
            assert (response.status_code, response.json()["code"]) == (507, "INSUFFICIENT_STORAGE")
            assert "No space left" in response.json()["error"]
    assert not server.started  # before the model has spent its time
    assert (await client.post("/virtual-tryon", json=CAPTURE)).status_code == 200


async def test_results_above_the_quota_are_refused(
    serve: Serve, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontend_proxy.captures.quota.MEASURE_EVERY_S", 0)
    async with (
        serve(max_results_bytes=500) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        kept = (await client.post("/virtual-tryon", json=CAPTURE)).json()
        refused = await client.post("/virtual-tryon", json=CAPTURE)
        assert (refused.status_code, refused.json()["code"]) == (507, "INSUFFICIENT_STORAGE")
        assert "the most that is allowed" in refused.json()["error"]
        assert len(server.started) == 1  # before the model has spent its time
        assert (await client.get(f"/virtual-tryon/{kept['result_id']}")).status_code == 200
        await client.delete(f"/virtual-tryon/{kept['result_id']}")
        assert (await client.post("/virtual-tryon", json=CAPTURE)).status_code == 200


async def test_a_disk_that_fills_meanwhile_ends_in_an_error(
    client: httpx.AsyncClient, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.delay_s = 0.1
    url = (await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)).headers["Location"]

    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        await until(lambda: server.finished)
        status = await ended(client, url)
    assert (status["state"], status["failure"]["code"]) in [
        ("failed", "INSUFFICIENT_STORAGE"),
        ("failed", "INTERRUPTED"),  # not even the failure could be kept
    ]
