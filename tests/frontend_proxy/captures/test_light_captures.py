"""Captures that ask for a light, for a preview that the client composes."""

import base64
from collections.abc import AsyncGenerator
from typing import Any

import httpx

from frontend_proxy.answer_schemas import Light, Report
from frontend_proxy.jobs import Job, Progress, Result
from tests.fakes import FakeServer
from tests.frontend_proxy.captures.redis_proxies import Proxy
from tests.frontend_proxy.captures.test_local_captures import ASYNC, ended
from tests.frontend_proxy.conftest import CAPTURE, RENDER

LIGHT = Light(crop=[0.1, 0.2, 0.5, 0.6], occlusion=b"RIFFhidden", light_coding={"range": 1.4})
ASKED = {**CAPTURE, "answer": "light", "fabric_id": None}


def uri(data: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"


def lit(server: FakeServer, result: Result | None = None) -> FakeServer:
    """The server answers jobs that ask for a light with `result`, by default with a light."""
    answer = server.run

    async def run(job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        async for response in answer(job, timeout_s):
            if isinstance(response, Result) and job.output_format == "light":
                response = result or Result(b"RIFFlight%d" % job.seed, response.report, LIGHT)
            yield response

    server.run = run  # type: ignore[method-assign]
    return server


def is_the_light(result: dict[str, Any], seed: int = 7) -> bool:
    assert (result["success"], result["answer"], "result_image" in result) == (True, "light", False)
    assert (result["light"], result["occlusion"]) == (uri(b"RIFFlight%d" % seed), uri(b"RIFFhidden"))
    assert (result["crop"], result["light_coding"]) == ([0.1, 0.2, 0.5, 0.6], {"range": 1.4})
    assert result["images"][0]["url"].endswith("/0.webp")
    return True


async def test_the_answer_has_the_light_in_place_of_the_picture(
    client: httpx.AsyncClient, server: FakeServer
) -> None:
    lit(server)
    result = (await client.post("/virtual-tryon", json={**ASKED, "seed": 7, "num_samples": 2})).json()
    assert is_the_light(result)
    assert [job.output_format for job in server.started] == ["light", "light"]
    image = await client.get(result["images"][1]["url"])
    assert (image.content, image.headers["Content-Type"]) == (b"RIFFlight8", "image/webp")


async def test_later_the_record_still_has_it(client: httpx.AsyncClient, server: FakeServer) -> None:
    lit(server)
    accepted = await client.post("/virtual-tryon", json={**ASKED, "seed": 7}, headers=ASYNC)
    assert is_the_light((await ended(client, accepted.headers["Location"]))["result"])


async def test_through_redis(proxies: list[Proxy]) -> None:
    for proxy in proxies:
        lit(proxy.server)
    assert is_the_light((await proxies[0].client.post("/virtual-tryon", json={**ASKED, "seed": 7})).json())
    accepted = await proxies[0].client.post("/virtual-tryon", json={**ASKED, "seed": 7}, headers=ASYNC)
    assert is_the_light((await ended(proxies[1].client, accepted.headers["Location"]))["result"])


async def test_a_checkpoint_without_a_light_makes_a_picture(
    client: httpx.AsyncClient, server: FakeServer
) -> None:
    png = base64.b64decode(RENDER.partition(",")[2])
    lit(server, Result(png, Report(mode="ai_enhanced", seed=7)))
    result = (await client.post("/virtual-tryon", json=ASKED)).json()
    assert (result["answer"], result["result_image"]) == ("picture", RENDER)
    assert result["images"][0]["url"].endswith("/0.png")


async def test_without_a_garment_there_is_no_light(client: httpx.AsyncClient, server: FakeServer) -> None:
    lit(server, Result(b"\0", Report(mode="fallback", mode_reason="no_garment")))
    result = (await client.post("/virtual-tryon", json=ASKED)).json()
    assert (result["answer"], result["light"], result["crop"], result["images"]) == ("light", None, None, [])
    assert result["mode_reason"] == "no_garment"


async def test_a_light_is_another_request(client: httpx.AsyncClient, server: FakeServer) -> None:
    lit(server)
    key = {"Idempotency-Key": "light"}
    assert (await client.post("/virtual-tryon", json=ASKED, headers=key)).status_code == 200
    other = await client.post("/virtual-tryon", json={**ASKED, "answer": "picture"}, headers=key)
    assert other.status_code == 422
