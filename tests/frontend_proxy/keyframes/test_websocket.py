import asyncio
import base64
import gc
import io
import json
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import msgpack
import pytest
import websockets
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect

from catalog import Catalog
from frontend_proxy.errors import DeadlineExceeded, InferenceFailed, ModelUnavailable, Overloaded, ProxyError
from frontend_proxy.jobs import Result
from frontend_proxy.schemas import Keyframe
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


def asleep(camera_frame: bytes, jacket_render: bytes | None) -> bytes:
    time.sleep(3)
    return b""


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
        (keyframe(quality="superb"), "INVALID_INPUT"),
        (keyframe(mask="no base64!"), "INVALID_INPUT"),
        (keyframe(mask="Zm9v"), "IMAGE_DECODE"),
        (keyframe(session_id="s" * 129), "INVALID_INPUT"),
        ("[" * 10 * 2**20, "INVALID_INPUT"),
        ('{"type": "keyframe", "pose": [' + "[]," * 3 * 2**20 + "0]}", "INVALID_INPUT"),
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


async def test_a_failed_keyframe_leaves_nothing_to_the_garbage_collector(
    serve: Serve, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the pipeline fails on every one, their pictures would fill the memory."""

    async def fails(job: object, timeout_s: float) -> AsyncIterator[Result]:
        raise InferenceFailed("no finite pixels")
        yield

    monkeypatch.setattr(server, "run", fails)
    logging.disable(logging.CRITICAL)  # pytest keeps what is logged
    gc.collect()
    gc.disable()
    try:
        async with serve() as address, connect(f"ws://{address}/ws") as socket:
            await socket.send(keyframe(1))
            assert (await answer(socket))["code"] == "INFERENCE_FAILED"
            await asyncio.sleep(0.1)
            left = [found for found in gc.get_objects() if type(found) is Keyframe]
    finally:
        gc.enable()
        logging.disable(logging.NOTSET)
    assert not left


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


async def test_a_session_keeps_its_seed_across_connections(serve: Serve, server: FakeServer) -> None:
    async with serve() as address:
        for session_id in ("anna", "anna", "ben"):
            async with connect(f"ws://{address}/ws") as socket:
                await socket.send(keyframe(session_id=session_id))
                await answer(socket)
    seeds = [job.seed for job in server.started]
    assert seeds[0] == seeds[1] != seeds[2]


async def test_quality_is_a_number_of_steps(serve: Serve, server: FakeServer) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        for fields in ({"quality": "low"}, {}, {"quality": "high"}, {"quality": "high", "steps": 3}):
            await socket.send(keyframe(**fields))
            await answer(socket)
    assert [job.steps for job in server.started] == [2, None, 8, 3]


async def test_the_frame_id_comes_back_with_whatever_the_answer_is(serve: Serve) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        for number, broken in enumerate(
            ({}, {"jacket_render": None}, {"camera_frame": None}, {"camera_frame": "Zm9v"})
        ):
            await socket.send(keyframe(frame_id=f"frame {number}", **broken))
            assert (await answer(socket))["frame_id"] == f"frame {number}"


async def test_the_stages_and_the_queue_add_up_to_the_total(serve: Serve, server: FakeServer) -> None:
    server.delay_s = 0.1
    server.latency_ms = {"preprocess": 10.0, "denoise": 50.0, "postprocess": 20.0, "total": 80.0}
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe())
        told = (await answer(socket))["latency_ms"]
    assert list(told) == ["queue", "preprocess", "denoise", "postprocess", "total"]
    assert told["total"] >= 100  # as long as the client waited, not the model's own
    assert sum(told.values()) == pytest.approx(2 * told["total"], abs=0.5)


async def test_messagepack_carries_images_as_they_are(serve: Serve, server: FakeServer) -> None:
    frame, render = (base64.b64decode(image.split(",")[1]) for image in (FRAME, RENDER))
    message = {"type": "keyframe", "timestamp": 5, "camera_frame": frame, "jacket_render": render}
    async with serve() as address, connect(f"ws://{address}/ws", subprotocols=["lucy.msgpack.v1"]) as socket:
        assert socket.subprotocol == "lucy.msgpack.v1"
        await socket.send(msgpack.packb(message))
        result = msgpack.unpackb(await socket.recv())
        await socket.send(keyframe(6))  # JSON does not belong here
        error = msgpack.unpackb(await socket.recv())
        await socket.send(msgpack.packb({**message, "timestamp": 7, "camera_frame": FRAME}))  # base64 may
        last = msgpack.unpackb(await socket.recv())
    assert (result["type"], result["timestamp"], result["image"]) == ("keyframe_result", 5, frame)
    assert (error["type"], error["code"]) == ("error", "INVALID_INPUT")
    assert (last["timestamp"], last["image"]) == (7, frame)
    assert server.started[0].jacket_render == render


async def test_a_still_scene_costs_the_model_nothing(serve: Serve, server: FakeServer) -> None:
    async with serve(workers=True) as address, connect(f"ws://{address}/ws") as socket:
        answers: list[dict[str, Any]] = []
        async with asyncio.timeout(30):  # it is not looked at while the worker process starts
            while not (answers and answers[-1]["reused"]):
                await asyncio.sleep(0.1)
                await socket.send(keyframe(len(answers)))
                answers.append(await answer(socket))
        reused, asked = answers[-1], len(server.started)
        assert asked == len(answers) - 1
        assert [message["timestamp"] for message in answers] == list(range(len(answers)))
        assert (reused["image"], reused["steps"]) == (FRAME, 4)
        assert reused["request_id"] != answers[-2]["request_id"]

        await socket.send(keyframe("other", fabric_id="denim-blue"))
        assert not (await answer(socket))["reused"]
        assert len(server.started) == asked + 1


async def test_under_load_steps_go_before_answers_do(serve: Serve, server: FakeServer) -> None:
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


async def test_steps_of_the_wall_clock_do_not_matter(
    serve: Serve, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NTP, a laptop that wakes, a client whose clock goes back: deadlines and order are not theirs."""
    server.delay_s = 0.05
    jump = 0.0
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        for jump, timestamp in ((0.0, 1e12), (1e6, 0), (-1e9, -5), (0.0, 2e12)):  # noqa: B007
            await socket.send(keyframe(timestamp))
            message = await answer(socket)
            assert (message["timestamp"], message["mode"]) == (timestamp, "ai_enhanced")
            assert 50 <= message["latency_ms"]["total"] < 5000


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


async def test_few_stale_answers_wait_for_a_slow_reader(serve: Serve, server: FakeServer) -> None:
    """The kernel's send buffer grows to megabytes: dozens of answers that nobody wants any more."""
    frame = base64.b64encode(base64.b64decode(encoded("RGB", "JPEG")) + bytes(100_000)).decode()
    async with serve() as address:
        host, port = address.split(":")
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)  # the client's own part is small
        raw.connect((host, int(port)))
        async with connect(f"ws://{address}/ws", sock=raw, max_queue=1, max_size=None) as slow:
            for number in range(40):
                await slow.send(keyframe(number, camera_frame=frame, seed=number))
                await asyncio.sleep(0.02)
            assert len(server.started) < 12


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


async def test_a_fallback_is_in_time_even_where_its_composite_is_not(
    serve: Serve, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has other pictures to draw: the frame itself goes out at the deadline."""
    server.error = ModelUnavailable("away")
    monkeypatch.setattr("frontend_proxy.keyframes.keyframes.composite", asleep)
    async with (
        serve(workers=True, keyframe_timeout_s=0.5) as address,
        connect(f"ws://{address}/ws") as socket,
    ):
        await socket.send(keyframe(5))
        message = await answer(socket)
    assert (message["mode_reason"], message["image"]) == ("model_unavailable", FRAME)
    assert 500 <= message["latency_ms"]["total"] < 2500


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
