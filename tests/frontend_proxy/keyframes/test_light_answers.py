"""Keyframes that ask for a light, through the socket."""

import base64
from collections.abc import AsyncGenerator

import msgpack
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from frontend_proxy.answer_schemas import Light, Report
from frontend_proxy.errors import ModelUnavailable
from frontend_proxy.jobs import Job, Result
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, Serve
from tests.frontend_proxy.keyframes.messages import answer, keyframe

CODING = {"range": 1.4, "floor": 0.04, "sigma": 0.0117, "detail_gain": 1.15}
LIGHT = Light(
    crop=[0.1, 0.2, 0.5, 0.6], anchor=[(0.6, 0.4), (0.4, 0.4)], occlusion=b"RIFFhidden", light_coding=CODING
)


class Lit(FakeServer):
    """Answers jobs that ask for a light with one."""

    async def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Result, None]:
        async for result in super().run(job, timeout_s):
            if job.output_format == "light":
                report = Report(mode="ai_enhanced", seed=job.seed, steps=1, mask_source="alpha")
                result = Result(b"RIFFlight", report, LIGHT)
            yield result


@pytest.fixture
def server() -> Lit:
    return Lit()


def uri(data: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"


async def test_the_answer_has_the_light_in_place_of_the_picture(serve: Serve, server: Lit) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(7, answer="light"))
        message = await answer(socket)
    assert [job.output_format for job in server.started] == ["light"]
    assert (message["type"], message["answer"], message["timestamp"]) == ("keyframe_result", "light", 7)
    assert "image" not in message
    assert (message["light"], message["occlusion"]) == (uri(b"RIFFlight"), uri(b"RIFFhidden"))
    assert message["crop"] == [0.1, 0.2, 0.5, 0.6]
    assert message["anchor"] == [[0.6, 0.4], [0.4, 0.4]]
    assert message["light_coding"] == CODING
    assert (message["layer_matrix"], message["mask_source"], message["steps"]) == (None, "alpha", 1)


async def test_in_messagepack_it_is_bytes(serve: Serve) -> None:
    frame = base64.b64decode(FRAME.split(",")[1])
    sent = {"type": "keyframe", "camera_frame": frame, "jacket_render": frame, "answer": "light"}
    protocols = [Subprotocol("lucy.msgpack.v1")]
    async with serve() as address, connect(f"ws://{address}/ws", subprotocols=protocols) as socket:
        await socket.send(msgpack.packb(sent))
        message = msgpack.unpackb(await socket.recv())
    assert (message["light"], message["occlusion"]) == (b"RIFFlight", b"RIFFhidden")
    assert message["light_coding"] == CODING


async def test_without_the_field_the_answer_is_a_picture(serve: Serve) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe())
        message = await answer(socket)
    assert (message["answer"], message["image"]) == ("picture", FRAME)
    assert "light" not in message


@pytest.mark.parametrize("server", [FakeServer()], ids=["no light"])
async def test_a_checkpoint_without_a_light_answers_a_picture(serve: Serve) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(answer="light"))
        message = await answer(socket)
    assert (message["answer"], message["image"]) == ("picture", FRAME)


@pytest.mark.parametrize("broken", [{"jacket_render": None}, {}], ids=["no garment", "no model"])
async def test_a_fallback_has_no_light_and_no_old_picture(
    serve: Serve, server: Lit, broken: dict[str, None]
) -> None:
    server.error = None if broken else ModelUnavailable("away")
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(answer="light", **broken))
        message = await answer(socket)
    assert (message["answer"], message["mode"], message["light"]) == ("light", "fallback", None)
    assert message["mode_reason"] == ("no_garment" if broken else "model_unavailable")
    assert "image" not in message


async def test_an_unknown_answer_is_refused(serve: Serve) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(answer="film"))
        message = await answer(socket)
    assert (message["type"], message["code"]) == ("error", "INVALID_INPUT")
