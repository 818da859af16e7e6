"""Captures on the real Triton: previews, cancelling, a full disk."""

import asyncio
import base64
import json
import resource

import cv2
import httpx
import numpy as np
import pytest

from tests.e2e.test_http import capture, frame_of, unet_inferences

ASYNC = {"Prefer": "respond-async"}
EVENTS = {"Accept": "text/event-stream"}


def decoded(data_uri):
    data = np.frombuffer(base64.b64decode(data_uri.partition(",")[2]), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


async def events(response):
    name = None
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


@pytest.fixture
async def client(stack):
    async with httpx.AsyncClient(base_url=stack.url, timeout=60) as client:
        yield client


@pytest.fixture
async def either_client(either_stack):
    async with httpx.AsyncClient(base_url=either_stack.url, timeout=60) as client:
        yield client


@pytest.mark.nightly
async def test_previews_come_nearer_to_the_result(either_client):
    """A preview is the pipeline's own picture, so it shows the same person, and ever more of the result."""
    previews, steps = [], []
    body = capture("transparent_no_pose", seed=4, num_samples=2, output_format="jpeg")
    async with either_client.stream("POST", "/virtual-tryon", json=body, headers=EVENTS) as response:
        async for name, data in events(response):
            if name == "progress":
                steps.append(data["step"])
                if data["preview"]:
                    previews.append(decoded(data["preview"]))
    assert name == "result"
    assert steps == sorted(steps)
    assert steps[-1] >= 20
    assert len(previews) >= 2
    assert {preview.shape for preview in previews} == {(216, 384, 3)}
    result = decoded(data["result_image"])
    assert result.shape == frame_of("transparent_no_pose").shape
    small = cv2.resize(result, (384, 216), interpolation=cv2.INTER_AREA).astype(float)
    errors = [np.abs(preview - small).mean() for preview in previews]
    assert errors[-1] < errors[0]
    assert errors[-1] < 4
    seeds = [image["seed"] for image in data["images"]]
    assert seeds == [4, 5]
    first, second = [cv2.imdecode(np.frombuffer((await either_client.get(image["url"])).content, np.uint8), 1)
                     for image in data["images"]]  # fmt: skip
    assert np.array_equal(first, result)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("way", ["events", "delete"])
async def test_a_capture_that_nobody_wants_stops_within_two_ticks(either_stack, either_client, way):
    stack, client = either_stack, either_client
    before = unet_inferences(stack)
    body = capture("transparent_no_pose", steps=50, num_samples=4)
    if way == "events":
        async with client.stream("POST", "/virtual-tryon", json=body, headers=EVENTS) as response:
            async for _name, data in events(response):
                if data["step"] >= 3:
                    break
    else:
        url = (await client.post("/virtual-tryon", json=body, headers=ASYNC)).headers["Location"]
        while ((await client.get(url)).json()["progress"] or {"step": 0})["step"] < 3:
            await asyncio.sleep(0.01)
        assert (await client.delete(url)).status_code == 200
    at_the_end = unet_inferences(stack)
    await asyncio.sleep(1)
    later = unet_inferences(stack)
    assert at_the_end < before + 4 * 50
    assert later <= at_the_end + 4 * 3  # two ticks of four rows, and one that was under way
    await asyncio.sleep(0.5)
    assert unet_inferences(stack) == later
    assert (
        await client.post("/virtual-tryon", json=capture("transparent_no_pose", steps=2))
    ).status_code == 200


async def test_a_full_results_disk(stack, client):
    """Writes fail with EFBIG as if the disk were full, which the kernel can be asked for at run time."""
    body = capture("transparent_no_pose", steps=2)
    kept = (await client.post("/virtual-tryon", json=body)).json()
    proxy = stack.proxy.pid
    before = resource.prlimit(proxy, resource.RLIMIT_FSIZE)
    try:
        # No room at all; then room for the record, but not for the picture that is made meanwhile.
        for room in (0, 4096):
            resource.prlimit(proxy, resource.RLIMIT_FSIZE, (room, before[1]))
            refused = await client.post("/virtual-tryon", json=body)
            assert (refused.status_code, refused.json()["code"]) == (507, "INSUFFICIENT_STORAGE")
            assert (await client.get(kept["images"][0]["url"])).status_code == 200
            assert (await client.get("/health")).json()["ai_model_loaded"]
    finally:
        resource.prlimit(proxy, resource.RLIMIT_FSIZE, before)
    assert (await client.post("/virtual-tryon", json=body)).status_code == 200
