import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from frontend_proxy import metrics
from tests.frontend_proxy.conftest import FRAME, RENDER, Serve

KEYFRAME = {"type": "keyframe", "timestamp": 7, "camera_frame": FRAME, "jacket_render": RENDER}


async def scraped(client: httpx.AsyncClient) -> dict[tuple, float]:
    """Each sample's value by its name and sorted labels, as Prometheus itself parses it."""
    text = (await client.get("/metrics")).text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_requests_keyframes_and_jobs_are_counted(serve: Serve) -> None:
    async with serve() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        before = await scraped(client)
        await client.get("/api/fabric/denim-blue")
        await client.get("/api/fabric/nothing")
        async with connect(f"ws://{address}/ws") as socket:
            await socket.send(json.dumps(KEYFRAME))
            await socket.recv()
            inside = await scraped(client)
            await socket.send(json.dumps({**KEYFRAME, "jacket_render": None}))
            await socket.recv()
        after = await scraped(client)

    def gained(name: str, **labels: str) -> float:
        key = (name, *sorted(labels.items()))
        return after.get(key, 0) - before.get(key, 0)

    fabric = {"method": "GET", "route": "/api/fabric/{id}"}
    assert gained("lucy_http_requests_total", **fabric, status="200") == 1
    assert gained("lucy_http_requests_total", **fabric, status="404") == 1
    assert gained("lucy_http_request_seconds_count", route="/api/fabric/{id}") == 2
    assert gained("lucy_keyframes_total", mode="ai_enhanced", reason="") == 1
    assert gained("lucy_keyframes_total", mode="fallback", reason="no_garment") == 1
    assert gained("lucy_keyframe_seconds_count") == 2
    assert gained("lucy_jobs_total", mode="keyframe", outcome="done") == 1
    assert inside[("lucy_sockets",)] - before[("lucy_sockets",)] == 1


async def test_an_unknown_path_does_not_create_a_series(serve: Serve) -> None:
    """A scanner that requests a million paths must not fill Prometheus."""
    async with serve() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        await client.get("/wp-admin-7f3a")
        await client.request("BREW", "/")
        text = (await client.get("/metrics")).text
    assert "wp-admin" not in text
    assert "BREW" not in text


async def test_triton_s_batches_are_counted_by_size(serve: Serve) -> None:
    async with serve() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        found = await scraped(client)
    unet = (("model", "unet"), ("server", "gpu-1:8001"))
    assert found[("lucy_triton_executions_total", ("batch_size", "4"), *unet)] == 2
    assert found[("lucy_triton_rows_total", *unet)] == 3 * 1 + 2 * 4


async def test_the_lag_of_the_event_loop_is_measured() -> None:
    def seen() -> float:
        return metrics.LOOP_LAG._sum.get()

    watching = asyncio.create_task(metrics.watch_loop())
    await asyncio.sleep(0.01)
    before = seen()
    time.sleep(0.35)  # blocks the event loop
    await asyncio.sleep(0.05)
    watching.cancel()
    assert seen() - before > 0.2


def test_proxies_that_share_a_folder_are_counted_together(tmp_path: Path) -> None:
    """Several proxies share a port, and Prometheus reaches any one of them."""
    count = "from frontend_proxy.metrics import count_request; count_request('GET', '/x', 200, 0.1)"
    ask = (
        "import asyncio; from frontend_proxy.metrics import Metrics; from tests.fakes import FakeServer;"
        "metrics = Metrics(FakeServer(), lambda: asyncio.sleep(0));"
        "print(asyncio.run(metrics.show(None)).body.decode())"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")}
    root = Path(__file__).parents[2]

    def run(code: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            cwd=root,
            check=True,
            text=True,
            capture_output=True,
        ).stdout

    run(count)
    run(count)
    assert 'lucy_http_requests_total{method="GET",route="/x",status="200"} 2.0' in run(ask)
