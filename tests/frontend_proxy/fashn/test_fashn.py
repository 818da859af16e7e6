"""`/v1/run` and `/v1/status/{id}` through FASHN's own client from PyPI, which gets another base URL only."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import fashn
import httpx
import pytest

from frontend_proxy.answer_schemas import Report
from frontend_proxy.errors import InferenceFailed
from frontend_proxy.fashn.fetched_pictures import FetchedPictures
from frontend_proxy.job_factory import NOBODY
from frontend_proxy.jobs import Job, Progress, Result
from frontend_proxy.web.byte_budget import ByteBudget, Hold
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, RENDER, Serve
from tests.tryon_client import KEYFRAMES

INPUTS: Any = {"model_image": FRAME, "garment_image": RENDER, "category": "tops", "seed": 7}
JPEG = base64.b64decode(FRAME.partition(",")[2])


def client(address: str, key: str = "none", **options: Any) -> fashn.AsyncFashn:
    return fashn.AsyncFashn(api_key=key, base_url=f"http://{address}", max_retries=0, **options)


async def wear(address: str, model: Any = "tryon-v1.6", **inputs: Any) -> Any:
    asked = {name: value for name, value in {**INPUTS, **inputs}.items() if value is not None}
    async with client(address) as api:
        return await api.predictions.subscribe(model_name=model, inputs=asked, poll_interval=20)


async def test_a_subscription_ends_with_the_picture(serve: Serve, server: FakeServer) -> None:
    server.delay_s = 0.1
    seen: list[str] = []
    async with serve() as address, client(address) as api:
        result = await api.predictions.subscribe(
            model_name="tryon-v1.6",
            inputs=INPUTS,
            poll_interval=20,
            on_enqueued=lambda prediction: seen.append(prediction),
            on_queue_update=lambda status: seen.append(status.status),
        )
        assert (result.status, result.error) == ("completed", None)
        assert seen[0] == result.id
        assert "processing" in seen
        assert result.output
        (url,) = result.output
        async with httpx.AsyncClient() as http:
            assert (await http.get(url)).content == JPEG, "the fake model answers the frame"
    (job,) = server.finished
    assert (job.garment_image is not None, job.category, job.seed, job.steps) == (True, "tops", 7, None)


async def test_the_server_finds_the_pose(serve: Serve, server: FakeServer) -> None:
    frame = base64.b64encode((KEYFRAMES / "transparent_off_body" / "camera_frame.jpg").read_bytes()).decode()
    async with serve(workers=True, find_pose=True) as address:
        await wear(address, model_image=f"data:image/jpeg;base64,{frame}")
        await wear(address)
    found, missing = server.finished
    assert found.pose is not None
    assert found.pose[[11, 12], 3].min() > 0.9, "both shoulders are seen"
    assert (missing.pose, missing.detail) == (None, NOBODY)


async def test_the_synchronous_client_works_too(serve: Serve) -> None:
    def synchronous(address: str) -> Any:
        with fashn.Fashn(api_key="none", base_url=f"http://{address}") as api:
            begun = api.predictions.run(model_name="tryon-v1.6", inputs=INPUTS)
            assert begun.error is None
            while (status := api.predictions.status(begun.id)).status in ("in_queue", "processing"):
                pass
            return status

    async with serve() as address:
        assert (await asyncio.to_thread(synchronous, address)).status == "completed"


async def test_every_option_changes_the_capture(serve: Serve, server: FakeServer) -> None:
    async with serve(max_steps=30) as address:
        assert len((await wear(address, num_samples=2, output_format="jpeg")).output) == 2
        in_base64 = await wear(address, return_base64=True, output_format="jpeg")
        await wear(address, "tryon-max", garment_image=None, product_image=RENDER, num_images=2)
        await wear(address, "product-to-model", garment_image=None, product_image=RENDER)
        await wear(address, mode="performance")
        await wear(address, mode="quality")
        pose = {"landmarks": [{"x": 0.5, "y": 0.5, "z": 0, "visibility": 1}] * 33}
        await wear(address, garment_image=None, jacket_render=RENDER, mask=RENDER, pose=pose)
    assert in_base64.output == ["data:image/jpeg;base64," + base64.b64encode(JPEG).decode()]
    two, more, rest = server.finished[:2], server.finished[3:5], server.finished[5:]
    assert {job.output_format for job in two} == {"jpeg"}
    assert [job.seed for job in sorted(two + more, key=lambda job: job.seed)] == [7, 7, 8, 8]
    assert all(job.garment_image for job in server.finished[:-1])
    assert [job.steps for job in rest] == [None, 8, 30, None]
    assert rest[-1].garment_image is None
    assert rest[-1].jacket_render is not None
    assert rest[-1].mask is not None
    assert rest[-1].pose is not None
    assert rest[0].pose is rest[0].mask is None


async def test_a_picture_may_be_a_url(serve: Serve, server: FakeServer) -> None:
    async with serve(picture_private_hosts=["127.0.0.1"]) as address:
        (url,) = (await wear(address)).output
        await wear(address, model_image=url)
        for wrong in (f"http://{address}/results/nothing/0.png", "http://127.0.0.1:1/a.png"):
            with pytest.raises(fashn.BadRequestError, match="user_image: the URL"):
                await wear(address, model_image=wrong)
    assert server.finished[1].camera_frame == JPEG


@pytest.mark.parametrize("url", ["http://127.0.0.1/a.png", "https://127.0.0.1/a.png", "https://10.0.0.1/a"])
async def test_no_url_leads_into_the_servers_network(serve: Serve, url: str) -> None:
    async with serve() as address:
        with pytest.raises(fashn.BadRequestError, match=r"https|public internet"):
            await wear(address, garment_image=url)


async def test_a_picture_behind_a_url_may_not_be_endless(serve: Serve) -> None:
    async with serve(picture_private_hosts=["127.0.0.1"]) as address:
        (url,) = (await wear(address)).output
        async with serve(picture_private_hosts=["127.0.0.1"], max_image_bytes=len(JPEG) - 1) as strict:
            with pytest.raises(fashn.APIStatusError) as caught:
                await wear(strict, model_image=url, garment_image=url)
            assert caught.value.status_code == 413


async def test_pictures_behind_urls_count_as_what_their_request_sends(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 bytes made the server hold four pictures, whatever the limit on bytes was."""
    async with serve(picture_private_hosts=["127.0.0.1"]) as address:
        (url,) = (await wear(address)).output
        monkeypatch.setattr("frontend_proxy.app.byte_budget", lambda _: ByteBudget(2**20, 700 + len(JPEG)))
        async with serve(picture_private_hosts=["127.0.0.1"]) as strict:
            for _ in range(3):  # what one took is given back
                with pytest.raises(fashn.RateLimitError):
                    await wear(strict, model_image=url, garment_image=url)


async def test_no_picture_is_fetched_where_there_is_no_room(
    serve: Serve, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asked a full server made it fetch pictures all the same, and then got 429."""
    server.delay_s = 60
    fetched: list[str] = []
    get = FetchedPictures.get

    async def counted(pictures: FetchedPictures, name: str, text: str, hold: Hold) -> str | bytes:
        fetched.append(name)
        return await get(pictures, name, text, hold)

    monkeypatch.setattr(FetchedPictures, "get", counted)
    async with serve(max_captures=1) as address, client(address) as api:
        await api.predictions.run(model_name="tryon-v1.6", inputs=INPUTS)
        taken = len(fetched)
        with pytest.raises(fashn.RateLimitError):
            await api.predictions.run(model_name="tryon-v1.6", inputs=INPUTS)
        assert len(fetched) == taken == 2


@pytest.mark.parametrize(
    ("model", "inputs", "says"),
    [
        ("model-create", {}, "this server has tryon-v1.6"),
        ({"name": "tryon-v1.6"}, {}, "this server has tryon-v1.6"),
        ("tryon-v1.6", {"garment_image": None}, "inputs.garment_image"),
        ("tryon-max", {}, "inputs.product_image"),
        ("tryon-v1.6", {"model_image": "c29tZSB0ZXh0"}, "user_image"),
        ("tryon-v1.6", {"num_samples": 9}, "num_samples"),
        ("tryon-v1.6", {"model_image": None}, "inputs.model_image"),
    ],
)
async def test_a_run_that_cannot_be_is_refused(serve: Serve, model: str, inputs: Any, says: str) -> None:
    async with serve() as address:
        with pytest.raises(fashn.BadRequestError, match=says):
            await wear(address, model, **inputs)


async def test_their_errors_are_theirs(serve: Serve, server: FakeServer) -> None:
    async with serve(api_keys="0123456789abcdef") as address:
        with pytest.raises(fashn.AuthenticationError):
            await wear(address)
    async with (
        serve(api_keys="0123456789abcdef") as address,
        client(address, "0123456789abcdef") as api,
    ):
        with pytest.raises(fashn.NotFoundError):
            await api.predictions.status("A" * 22)
        with pytest.raises(fashn.BadRequestError, match="sends no webhooks"):
            await api.predictions.run(
                model_name="tryon-v1.6", inputs=INPUTS, webhook_url="https://shop.example/hook"
            )
        server.error = InferenceFailed("the model failed")
        begun = await api.predictions.subscribe(model_name="tryon-v1.6", inputs=INPUTS, poll_interval=20)
        assert begun.status == "failed"
        assert begun.error
        assert (begun.error.name, begun.error.message) == ("PipelineError", "the model failed")


@pytest.mark.parametrize(("reason", "name"), [("no_region", "PoseError"), ("needs_render", "PipelineError")])
async def test_a_picture_in_which_nothing_was_painted_is_a_failure(
    serve: Serve, server: FakeServer, monkeypatch: pytest.MonkeyPatch, reason: str, name: str
) -> None:
    """Their clients would show the shopper in their own clothes."""
    answer = server.run

    async def run(job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        async for response in answer(job, timeout_s):
            if isinstance(response, Result):
                response = replace(response, report=Report(mode="fallback", mode_reason=reason))
            yield response

    monkeypatch.setattr(server, "run", run)
    async with serve() as address:
        result = await wear(address)
    assert (result.status, result.error.name) == ("failed", name)
    assert reason in result.error.message
    assert ("inputs.pose" in result.error.message and "inputs.mask" in result.error.message) is (
        name == "PoseError"
    ), "it says what to send, by the names of these messages"
