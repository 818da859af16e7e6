import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from catalog import Catalog
from frontend_proxy.errors import (
    DeadlineExceeded,
    InferenceFailed,
    ModelUnavailable,
    Overloaded,
    ProxyError,
    UndecodableImage,
)
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import CAPTURE, FRAME, PNG, RENDER, Serve, encoded, until

IMAGES = {"user_image": FRAME, "jacket_render": RENDER}


@pytest.mark.parametrize("path", ["/virtual-tryon", "/api/virtual-tryon"])
async def test_a_capture_returns_the_model_s_image(
    client: httpx.AsyncClient, server: FakeServer, path: str
) -> None:
    response = await client.post(path, json={**CAPTURE, "steps": 7, "strength": 0.5, "guidance_scale": 2})
    body = response.json()
    (job,) = server.finished
    assert response.status_code == 200
    assert body["success"] is True
    assert base64.b64decode(body["result_image"].removeprefix(PNG)) == job.camera_frame
    assert (body["mode"], body["steps"], body["seed"]) == ("ai_enhanced", 7, job.seed)
    assert len(body["result_id"]) >= 20
    assert body["timestamp"].endswith("+00:00")
    assert body["request_id"] == response.headers["X-Request-ID"] == job.request_id
    assert (job.mode, job.output_format, job.fabric) == ("capture", "png", Catalog().get("denim-blue").name)
    assert (job.steps, job.strength, job.guidance_scale) == (7, 0.5, 2.0)


async def test_a_seed_is_used_or_drawn(client: httpx.AsyncClient) -> None:
    seeds = [(await client.post("/virtual-tryon", json=CAPTURE)).json()["seed"] for _ in range(2)]
    assert seeds[0] != seeds[1]
    assert (await client.post("/virtual-tryon", json={**CAPTURE, "seed": 5})).json()["seed"] == 5


async def test_an_unknown_fabric_and_a_lost_pose_are_accepted(
    client: httpx.AsyncClient, server: FakeServer
) -> None:
    fields = {"fabric_id": "custom-1707735000000", "pose": {"landmarks": None, "rotation": None}}
    assert (await client.post("/virtual-tryon", json={**CAPTURE, **fields})).status_code == 200
    assert (server.finished[0].fabric, server.finished[0].pose) == (None, None)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"user_image": None}, 400, "INVALID_INPUT"),
        ({"jacket_render": None}, 400, "INVALID_INPUT"),
        ({"jacket_render": "data:,"}, 400, "INVALID_INPUT"),
        ({"user_image": encoded("RGB", "GIF")}, 400, "IMAGE_DECODE"),
        ({"user_image": encoded("1", "PNG", size=(6000, 6000))}, 413, "IMAGE_DECODE"),
        ({"steps": 51}, 400, "INVALID_INPUT"),
        ({"garment_image": "?"}, 400, "INVALID_INPUT"),
        ({"garment_image": encoded("RGB", "GIF")}, 400, "IMAGE_DECODE"),
        (
            {"garment_image": encoded("1", "PNG", size=(6000, 6000)), "jacket_render": None},
            413,
            "IMAGE_DECODE",
        ),
        ({"mask": encoded("RGB", "GIF")}, 400, "IMAGE_DECODE"),
        ({"category": "shoes"}, 400, "INVALID_INPUT"),
    ],
)
async def test_bad_input_names_the_field(
    client: httpx.AsyncClient, server: FakeServer, fields: dict[str, Any], status: int, code: str
) -> None:
    response = await client.post("/virtual-tryon", json={**CAPTURE, **fields})
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    assert next(iter(fields)) in body["error"]
    assert not server.started


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UndecodableImage("camera_frame is broken"), 400, "IMAGE_DECODE"),
        (Overloaded("full"), 429, "OVERLOADED"),
        (ModelUnavailable("away"), 503, "MODEL_UNAVAILABLE"),
        (InferenceFailed("no finite pixels"), 502, "INFERENCE_FAILED"),
        (DeadlineExceeded("late"), 504, "TIMEOUT"),
    ],
)
async def test_errors_of_the_model_server(
    client: httpx.AsyncClient, server: FakeServer, error: ProxyError, status: int, code: str
) -> None:
    server.error = error
    response = await client.post("/virtual-tryon", json=CAPTURE)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert ("Retry-After" in response.headers) == (status in (429, 503))


async def test_captures_above_the_limit_are_refused(client: httpx.AsyncClient, server: FakeServer) -> None:
    server.delay_s = 0.5
    running = [asyncio.create_task(client.post("/virtual-tryon", json=CAPTURE)) for _ in range(2)]
    while len(server.started) < 2:
        await asyncio.sleep(0.01)
    refused = await client.post("/virtual-tryon", json=CAPTURE)
    assert (refused.status_code, refused.json()["code"]) == (429, "OVERLOADED")
    assert int(refused.headers["Retry-After"]) > 0
    assert [response.status_code for response in await asyncio.gather(*running)] == [200, 200]
    assert (await client.post("/virtual-tryon", json=CAPTURE)).status_code == 200


async def test_disconnecting_cancels_the_job(serve: Serve, server: FakeServer) -> None:
    server.delay_s = 60
    async with serve() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        request = asyncio.create_task(client.post("/virtual-tryon", json=CAPTURE))
        while not server.started:
            await asyncio.sleep(0.01)
        request.cancel()
        async with asyncio.timeout(5):
            while not server.cancelled:
                await asyncio.sleep(0.01)


# Forms, samples, formats


OPTIONAL = (
    *("pose", "fabric_id", "render_fit", "seed", "steps", "strength", "guidance_scale", "num_samples"),
    *("output_format", "webhook_url"),
)


@pytest.mark.parametrize("text", ["null", "undefined", "", "None"])
async def test_a_form_s_words_for_nothing_are_fields_left_out(client: httpx.AsyncClient, text: str) -> None:
    """The first click on "Try it out" of Swagger UI was refused: `seed: Input should be a valid integer`."""
    files = {name: base64.b64decode(uri.partition(",")[2]) for name, uri in IMAGES.items()}
    response = await client.post("/virtual-tryon", files=files, data=dict.fromkeys(OPTIONAL, text))
    assert response.status_code == 200, response.text
    assert response.json()["result_image"].startswith(PNG)


async def test_json_s_nulls_are_fields_left_out(client: httpx.AsyncClient) -> None:
    response = await client.post("/virtual-tryon", json=IMAGES | dict.fromkeys(OPTIONAL))
    assert response.status_code == 200, response.text


async def test_a_form_s_image_may_be_a_large_data_uri(client: httpx.AsyncClient, server: FakeServer) -> None:
    """As large as in JSON; a text field of a form ended at 1 MiB."""
    padded = base64.b64decode(encoded("RGB", "JPEG")) + bytes(2 * 2**20)
    uri = "data:image/jpeg;base64," + base64.b64encode(padded).decode()
    for sent in (
        {"files": {"user_image": (None, uri), "jacket_render": (None, RENDER)}},
        {"data": {"user_image": uri, "jacket_render": RENDER}},  # URL-encoded
    ):
        response = await client.post("/virtual-tryon", **sent)  # type: ignore[arg-type]
        assert response.status_code == 200, response.text
        assert server.finished.pop().camera_frame == padded


async def test_a_form_s_image_has_the_limit_of_json(client: httpx.AsyncClient) -> None:
    uri = base64.b64encode(b"\xff\xd8" + bytes(10 * 2**20)).decode()
    response = await client.post(
        "/virtual-tryon", files={"user_image": (None, uri), "jacket_render": (None, RENDER)}
    )
    assert (response.status_code, response.json()["code"]) == (413, "IMAGE_DECODE")


async def test_an_address_in_place_of_an_image_is_named(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/virtual-tryon", json={**CAPTURE, "user_image": "blob:https://shop.example/1"}
    )
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT")
    assert response.json()["detail"].startswith("user_image: this is a blob: address")


async def test_a_form_equals_json(client: httpx.AsyncClient, server: FakeServer) -> None:
    frame, render = (base64.b64decode(uri.partition(",")[2]) for uri in (FRAME, RENDER))
    response = await client.post(
        "/virtual-tryon",
        files={"user_image": ("frame.jpg", frame), "jacket_render": ("render.png", render)},
        data={"seed": "7", "steps": "9", "pose": json.dumps({"landmarks": None}), "fabric_id": "denim-blue"},
    )
    (job,) = server.finished
    assert response.status_code == 200, response.text
    assert (job.camera_frame, job.jacket_render, job.seed, job.steps) == (frame, render, 7, 9)
    assert job.fabric == Catalog().get("denim-blue").name


async def test_samples_have_consecutive_seeds_and_urls(client: httpx.AsyncClient, server: FakeServer) -> None:
    body = (await client.post("/virtual-tryon", json={**CAPTURE, "num_samples": 2, "seed": 5})).json()
    assert [job.seed for job in server.finished] == [5, 6]
    assert [image["seed"] for image in body["images"]] == [5, 6]
    for image in body["images"]:
        answer = await client.get(image["url"])
        assert (answer.content, answer.headers["Content-Type"]) == (
            server.finished[0].camera_frame,
            "image/png",
        )
        assert answer.headers["Cache-Control"] == "private, no-store"
    assert base64.b64decode(body["result_image"].removeprefix(PNG)) == answer.content


@pytest.mark.parametrize("num_samples", [0, 3, 5])
async def test_more_samples_than_the_limit_are_invalid(client: httpx.AsyncClient, num_samples: int) -> None:
    """The test's server makes 2 at once; waiting would not help."""
    response = await client.post("/virtual-tryon", json={**CAPTURE, "num_samples": num_samples})
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT")
    assert "num_samples" in response.json()["error"]


async def test_every_sample_counts_against_the_limit(client: httpx.AsyncClient, server: FakeServer) -> None:
    server.delay_s = 0.3
    one = asyncio.create_task(client.post("/virtual-tryon", json=CAPTURE))
    await until(lambda: server.started)
    assert (await client.post("/virtual-tryon", json={**CAPTURE, "num_samples": 2})).status_code == 429
    assert (await one).status_code == 200
    assert (await client.post("/virtual-tryon", json={**CAPTURE, "num_samples": 2})).status_code == 200


async def test_the_client_chooses_the_output_format(client: httpx.AsyncClient, server: FakeServer) -> None:
    body = (await client.post("/virtual-tryon", json={**CAPTURE, "output_format": "jpeg"})).json()
    assert server.finished[0].output_format == "jpeg"
    assert body["result_image"].startswith("data:image/jpeg;base64,")
    assert (await client.get(body["images"][0]["url"])).headers["Content-Type"] == "image/jpeg"


async def test_a_capture_restarts_once_if_its_server_dies(
    client: httpx.AsyncClient, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: if the second server dies, too, the client gets the error."""
    run, deaths = server.run, 1

    async def dying(job: Any, timeout_s: float) -> AsyncIterator[Any]:
        async for response in run(job, timeout_s):
            yield response
            if len(server.started) <= deaths:
                raise ModelUnavailable("its server died")

    monkeypatch.setattr(server, "run", dying)
    assert (await client.post("/virtual-tryon", json=CAPTURE)).status_code == 200
    assert len(server.started) == 2
    deaths = 100
    assert (await client.post("/virtual-tryon", json=CAPTURE)).status_code == 503
    assert len(server.started) == 4
