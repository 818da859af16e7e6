"""What a keyframe gets when the model cannot answer, through the socket."""

import base64
import io
import time
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from websockets.asyncio.client import connect

from frontend_proxy.errors import DeadlineExceeded, ModelUnavailable, Overloaded, ProxyError
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, Serve, encoded
from tests.frontend_proxy.keyframes.messages import answer, image_of, keyframe, started

TRIALS = Path(__file__).parents[2] / "data" / "trials"


def asleep(camera_frame: bytes, jacket_render: bytes | None) -> bytes:
    time.sleep(3)
    return b""


@pytest.mark.parametrize("render", [None, "data:,", encoded("RGB", "GIF"), 3 * "A"])
async def test_without_a_usable_render_the_frame_is_the_answer(
    serve: Serve, server: FakeServer, render: str | None
) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(5, jacket_render=render))
        message = await answer(socket)
    assert (message["mode"], message["mode_reason"], message["timestamp"]) == ("fallback", "no_garment", 5)
    assert message["image"] == FRAME
    assert bool(message["detail"]) == (render is not None)
    assert not server.started


async def test_a_frame_with_a_profile_is_answered_in_srgb(serve: Serve) -> None:
    """The frame's own bytes went back; clients that draw them without the profile showed other colours."""
    file = (TRIALS / "profile_swaps_red_and_blue.jpg").read_bytes()
    frame = f"data:image/jpeg;base64,{base64.b64encode(file).decode()}"
    async with serve(workers=True, keyframe_timeout_s=30) as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(camera_frame=frame, jacket_render=None))
        found = image_of(await answer(socket))
    with Image.open(io.BytesIO(file)) as sent:
        numbers = np.asarray(sent).astype(int)
    assert "icc_profile" not in found.info
    assert np.median(np.abs(np.asarray(found) - numbers[:, :, ::-1])) < 6


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModelUnavailable("away"), "model_unavailable"),
        (DeadlineExceeded("late"), "deadline"),
        (Overloaded("full"), "overloaded"),
    ],
)
async def test_when_the_model_cannot_answer_the_composite_goes_out(
    serve: Serve, server: FakeServer, error: ProxyError, reason: str
) -> None:
    server.error = error
    async with serve(workers=True) as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(5, camera_frame=encoded("RGB", "PNG", size=(80, 40))))
        message = await answer(socket)
    assert (message["mode"], message["mode_reason"]) == ("fallback", reason)
    image = image_of(message)
    assert image.size == (80, 40)
    red, _, blue = image.getpixel((40, 20))
    assert red > 230  # the jacket's colour
    assert blue < 30


async def test_a_keyframe_that_takes_too_long_is_cancelled_and_answered(
    serve: Serve, server: FakeServer
) -> None:
    server.delay_s = 60
    async with (
        serve(workers=True, keyframe_timeout_s=0.2) as address,
        connect(f"ws://{address}/ws") as socket,
    ):
        await socket.send(keyframe(5))
        assert (await answer(socket))["mode_reason"] == "deadline"
    assert not server.finished


@pytest.mark.nightly
async def test_a_fallback_is_in_time_even_if_its_composite_is_not(
    serve: Serve, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has other pictures to draw: the frame itself goes out at the deadline."""
    server.error = ModelUnavailable("away")
    monkeypatch.setattr("frontend_proxy.keyframes.service.composite", asleep)
    async with (
        serve(workers=True, keyframe_timeout_s=0.5) as address,
        connect(f"ws://{address}/ws") as socket,
    ):
        await socket.send(keyframe(5))
        message = await answer(socket)
    assert (message["mode_reason"], message["image"]) == ("model_unavailable", FRAME)
    assert 500 <= message["latency_ms"]["total"] < 2500


async def test_more_keyframes_than_allowed_fall_back(serve: Serve, server: FakeServer) -> None:
    server.delay_s = 60
    async with (
        serve(workers=True, max_keyframes=1) as address,
        connect(f"ws://{address}/ws") as first,
        connect(f"ws://{address}/ws") as second,
    ):
        await first.send(keyframe(1))
        await started(server, 1)
        await second.send(keyframe(2))
        assert (await answer(second))["mode_reason"] == "overloaded"


async def test_under_load_answers_get_fewer_steps(serve: Serve, server: FakeServer) -> None:
    server.delay_s = 0.5
    async with serve(max_keyframes=8) as address, AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connect(f"ws://{address}/ws")) for _ in range(8)]
        await sockets[0].send(keyframe())  # tells how many steps the checkpoint takes
        assert (await answer(sockets[0]))["mode_reason"] is None
        for number, socket in enumerate(sockets):
            await socket.send(keyframe(number))
            await started(server, number + 2)
        answers = [await answer(socket) for socket in sockets]
    assert [message["mode"] for message in answers] == ["ai_enhanced"] * 8
    assert [message["steps"] for message in answers] == [4, 4, 4, 4, 3, 3, 2, 2]
    assert [message["mode_reason"] for message in answers] == [None] * 4 + ["fewer_steps"] * 4


async def test_under_load_a_checkpoint_of_one_step_takes_none(serve: Serve, server: FakeServer) -> None:
    server.delay_s, server.default_steps = 0.5, 1
    async with serve(max_keyframes=4) as address, AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connect(f"ws://{address}/ws")) for _ in range(4)]
        await sockets[0].send(keyframe())
        await answer(sockets[0])
        for number, socket in enumerate(sockets):
            await socket.send(keyframe(number))
            await started(server, number + 2)
        answers = [await answer(socket) for socket in sockets]
    assert [message["steps"] for message in answers] == [1, 1, 0, 0]
    assert [message["mode_reason"] for message in answers] == [None] * 2 + ["fewer_steps"] * 2
