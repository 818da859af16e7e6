import asyncio
import base64
import io
import json
from typing import Any

import pytest
import websockets
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect

from catalog import Catalog
from frontend_proxy.errors import DeadlineExceeded, InferenceFailed, ModelUnavailable, Overloaded, ProxyError
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, RENDER, Serve, encoded


def keyframe(timestamp: object = 1, **fields: object) -> str:
    message = {"type": "keyframe", "timestamp": timestamp, "camera_frame": FRAME, "jacket_render": RENDER}
    return json.dumps({**message, "pose": None, "fabric_id": None, **fields})


async def answer(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(await asyncio.wait_for(socket.recv(), 10))


def image_of(message: dict[str, Any]) -> Image.Image:
    prefix, data = message["image"].split(",")
    assert prefix == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


async def started(server: FakeServer, jobs: int) -> None:
    async with asyncio.timeout(10):
        while len(server.started) < jobs:
            await asyncio.sleep(0.01)


async def test_a_keyframe_gets_the_model_s_answer(serve: Serve, server: FakeServer) -> None:
    pose = {"landmarks": [{"x": 0.5, "y": 0.3, "z": -0.1, "visibility": 0.95}] * 33, "rotation": 3.1}
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(1707735000000, pose=pose, fabric_id="denim-blue"))
        message = await answer(socket)
    (job,) = server.started
    assert message["type"] == "keyframe_result"
    assert message["timestamp"] == 1707735000000
    assert (message["mode"], message["mode_reason"]) == ("ai_enhanced", None)
    assert (message["seed"], message["steps"], message["mask_source"]) == (job.seed, 4, "alpha")
    assert message["request_id"] == job.request_id
    assert message["image"] == FRAME  # the fake answers with the frame
    assert (job.mode, job.output_format, job.fabric) == ("keyframe", "jpeg", Catalog().get("denim-blue").name)
    assert job.pose.shape == (33, 4)


@pytest.mark.parametrize("timestamp", [None, 0, -1.5, "2024-02-12T10:50:00Z", 2**70, {"s": [1]}, True])
async def test_the_timestamp_comes_back_as_it_was(serve: Serve, timestamp: object) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(timestamp))
        assert (await answer(socket))["timestamp"] == timestamp
        await socket.send(keyframe(timestamp, camera_frame=None))
        assert (await answer(socket))["timestamp"] == timestamp


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not json", "INVALID_INPUT"),
        ("[1, 2]", "INVALID_INPUT"),
        (b"\x00binary", "INVALID_INPUT"),
        (keyframe(camera_frame=None), "INVALID_INPUT"),
        (keyframe(camera_frame="data:image/jpeg;base64,Zm9v"), "IMAGE_DECODE"),
        (keyframe(pose="standing"), "INVALID_INPUT"),
        (keyframe(steps=51), "INVALID_INPUT"),
    ],
)
async def test_bad_input_is_an_error_and_the_socket_stays_open(
    serve: Serve, text: str | bytes, code: str
) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(text)
        error = await answer(socket)
        assert (error["type"], error["success"], error["code"]) == ("error", False, code)
        assert error["error"] == error["detail"] != ""
        await socket.send(keyframe(2))
        assert (await answer(socket))["timestamp"] == 2


async def test_an_unforeseen_error_tells_nothing_and_leaves_the_socket_open(
    serve: Serve, server: FakeServer
) -> None:
    server.error = RuntimeError("secret")  # type: ignore[assignment]
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(1))
        error = await answer(socket)
        assert error["code"] == "INTERNAL"
        assert "secret" not in json.dumps(error)
        server.error = None
        await socket.send(keyframe(2))
        assert (await answer(socket))["timestamp"] == 2


async def test_a_failed_pipeline_is_an_error(serve: Serve, server: FakeServer) -> None:
    server.error = InferenceFailed("no finite pixels")
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(1))
        error = await answer(socket)
        assert (error["code"], error["timestamp"]) == ("INFERENCE_FAILED", 1)


async def test_other_types_are_ignored(serve: Serve) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        for text in ('{"type": "ping"}', "{}", '{"type": ["keyframe"]}'):
            await socket.send(text)
        await socket.send(keyframe(3))
        assert (await answer(socket))["timestamp"] == 3


async def test_frames_of_a_connection_share_a_seed_unless_they_name_one(
    serve: Serve, server: FakeServer
) -> None:
    async with serve() as address:
        for _ in range(2):
            async with connect(f"ws://{address}/ws") as socket:
                for timestamp, seed in ((1, None), (2, 99), (3, None)):
                    await socket.send(keyframe(timestamp, seed=seed))
                    await answer(socket)
    first, second = server.started[:3], server.started[3:]
    assert first[0].seed == first[2].seed != second[0].seed == second[2].seed
    assert first[1].seed == second[1].seed == 99


async def test_the_newest_frame_wins(serve: Serve, server: FakeServer) -> None:
    """A reconnecting client starts one more timer each time, so its rate multiplies."""
    server.delay_s = 0.3
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(0))
        await started(server, 1)
        for timestamp in range(1, 20):
            await socket.send(keyframe(timestamp))
        assert [(await answer(socket))["timestamp"] for _ in range(2)] == [0, 19]
    assert len(server.started) == 2


async def test_a_client_that_does_not_read_costs_nothing(serve: Serve, server: FakeServer) -> None:
    """uvicorn takes megabytes into its buffers; once they are full, nothing more is computed."""
    frame = (
        "data:image/jpeg;base64,"
        + base64.b64encode(base64.b64decode(encoded("RGB", "JPEG")) + bytes(2 * 2**20)).decode()
    )
    async with serve() as address, connect(f"ws://{address}/ws", max_queue=1, max_size=None) as socket:
        await socket.send(keyframe(0, camera_frame=frame))
        sent = 0
        async with asyncio.timeout(60):
            while True:  # until the buffers are full
                sent += 1
                await socket.send(keyframe(sent, camera_frame=frame))
                try:
                    await asyncio.wait_for(started(server, sent + 1), 2)
                except TimeoutError:
                    break
        await socket.send(keyframe("last"))
        timestamps = []
        while not timestamps or timestamps[-1] != "last":
            timestamps.append((await answer(socket))["timestamp"])
    assert len(server.started) == sent + 1  # the frame after which nothing more was read was never asked for
    assert timestamps[:-1] == sorted(timestamps[:-1])


async def test_closing_the_socket_cancels_the_job(serve: Serve, server: FakeServer) -> None:
    server.delay_s = 60
    async with serve() as address:
        async with connect(f"ws://{address}/ws") as socket:
            await socket.send(keyframe(1))
            await started(server, 1)
        async with asyncio.timeout(5):
            while not server.cancelled:
                await asyncio.sleep(0.01)


async def test_a_client_that_vanishes_without_a_word_cancels_its_job(
    serve: Serve, server: FakeServer
) -> None:
    server.delay_s = 60
    async with serve() as address:
        async with connect(f"ws://{address}/ws") as socket:
            await socket.send(keyframe(1))
            await started(server, 1)
            socket.transport.abort()
        async with asyncio.timeout(5):
            while not server.cancelled:
                await asyncio.sleep(0.01)


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


async def test_more_keyframes_than_allowed_fall_back_at_once(serve: Serve, server: FakeServer) -> None:
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


async def test_a_message_over_the_limit_ends_the_connection_with_1009(serve: Serve) -> None:
    async with serve(max_image_bytes=1000) as address, connect(f"ws://{address}/ws") as socket:
        await socket.send("x" * 3_000_000)
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await socket.recv()
        assert closed.value.rcvd.code == 1009
