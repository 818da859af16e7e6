"""What the client is told about its request, from the request to the report."""

import json
from collections.abc import AsyncGenerator

import httpx
import pytest
from websockets.asyncio.client import connect

from frontend_proxy.answer_schemas import Report
from frontend_proxy.jobs import Job, Progress, Result, run_to_result
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import CAPTURE, EVENTS, Serve, events_of
from tests.frontend_proxy.keyframes.messages import answer, keyframe

GOOD = {"x": 0.5, "y": 0.3, "z": -0.1, "visibility": 0.95}
WITHOUT_X = {"y": 0.3, "visibility": 0.95}


def job(**fields: object) -> Job:
    return Job("r", "keyframe", b"frame", b"render", "jpeg", 1, **fields)  # type: ignore[arg-type]


async def test_the_job_s_detail_is_in_the_report() -> None:
    server = FakeServer()
    assert (await run_to_result(server, job(detail="pose: ignored"), 5)).report.detail == "pose: ignored"


async def test_the_model_s_own_detail_is_kept_if_the_job_has_none() -> None:
    class Server(FakeServer):
        async def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
            yield Result(b"", Report(mode="ai_enhanced", detail="the model's"))

    assert (await run_to_result(Server(), job(), 5)).report.detail == "the model's"
    both = (await run_to_result(Server(), job(detail="pose: ignored"), 5)).report.detail
    assert both == "the model's; pose: ignored"


@pytest.mark.parametrize(
    ("landmarks", "has_pose", "detail"),
    [
        ([GOOD] * 33, True, None),
        ([WITHOUT_X] * 33, False, "landmarks.0: x); the picture was made without a pose"),
        (
            [*[GOOD, WITHOUT_X] * 16, GOOD],
            True,
            "16 of 33 landmarks lack a finite number (landmarks.1: x); these",
        ),
        (None, False, None),
    ],
    ids=["good", "none", "some", "lost"],
)
async def test_landmarks_without_x_cost_no_picture_but_are_reported(
    serve: Serve,
    client: httpx.AsyncClient,
    server: FakeServer,
    landmarks: object,
    has_pose: bool,
    detail: str | None,
) -> None:
    pose = {"landmarks": landmarks}
    capture = (await client.post("/virtual-tryon", json={**CAPTURE, "pose": pose})).json()
    streamed = events_of(
        (await client.post("/virtual-tryon", json={**CAPTURE, "pose": pose}, headers=EVENTS)).text
    )
    form = {name: (None, value) for name, value in {**CAPTURE, "pose": json.dumps(pose)}.items()}
    sent_as_form = (await client.post("/virtual-tryon", files=form)).json()
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(1, pose=pose))
        message = await answer(socket)
    for answered in (capture, streamed[-1][1], sent_as_form, message):
        assert answered["mode"] == "ai_enhanced"
        assert answered["detail"] == detail or (detail and detail in answered["detail"])
    assert [started.pose is not None for started in server.started] == [has_pose] * 4


@pytest.mark.parametrize("name", ["fabric_id", "user_image"])
async def test_a_capture_with_an_endless_string_is_refused(client: httpx.AsyncClient, name: str) -> None:
    response = await client.post("/virtual-tryon", json={**CAPTURE, name: "x" * 1000})
    assert (response.status_code, response.json()["code"] in ("INVALID_INPUT", "IMAGE_DECODE")) == (400, True)
