import base64

import httpx

from frontend_proxy.errors import ModelUnavailable
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import CAPTURE, EVENTS, Serve, events_of, until


async def test_progress_previews_and_the_result_as_events(
    client: httpx.AsyncClient, server: FakeServer, slow_steps: None
) -> None:
    server.capture_steps = 10
    response = await client.post("/virtual-tryon", json={**CAPTURE, "num_samples": 2}, headers=EVENTS)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    *progress, (last, result) = events_of(response.text)
    assert {name for name, _ in progress} == {"progress"}
    steps = [data["step"] for _, data in progress]
    assert steps == sorted(steps)
    assert {data["steps"] for _, data in progress} == {10}
    previews = [data["preview"] for _, data in progress if data["preview"]]
    assert previews
    assert base64.b64decode(previews[0].removeprefix("data:image/jpeg;base64,")) == b"preview"
    assert (last, result["success"], len(result["images"])) == ("result", True, 2)
    assert [job.preview_interval for job in server.finished] == [5, None]


async def test_previews_are_made_for_event_streams_only(
    client: httpx.AsyncClient, server: FakeServer
) -> None:
    await client.post("/virtual-tryon", json=CAPTURE)
    assert server.finished[0].preview_interval is None


async def test_an_error_is_an_event_once_the_stream_runs(
    client: httpx.AsyncClient, server: FakeServer
) -> None:
    server.error = ModelUnavailable("away")
    response = await client.post("/virtual-tryon", json=CAPTURE, headers=EVENTS)
    assert response.status_code == 200
    name, error = events_of(response.text)[-1]
    assert (name, error["code"], error["status"], error["retry_after"]) == (
        "error",
        "MODEL_UNAVAILABLE",
        503,
        5,
    )


async def test_an_error_before_the_stream_is_an_http_response(client: httpx.AsyncClient) -> None:
    response = await client.post("/virtual-tryon", json={**CAPTURE, "steps": 0}, headers=EVENTS)
    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/json")


async def test_disconnecting_from_the_stream_cancels_the_job(serve: Serve, server: FakeServer) -> None:
    server.delay_s = 60
    async with serve() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        async with client.stream("POST", "/virtual-tryon", json=CAPTURE, headers=EVENTS) as response:
            async for _ in response.aiter_lines():
                break
        await until(lambda: server.cancelled)
        server.delay_s = 0
        assert (await client.post("/virtual-tryon", json={**CAPTURE, "num_samples": 2})).status_code == 200
