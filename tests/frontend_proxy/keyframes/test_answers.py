"""The answer of one keyframe, through the socket."""

import asyncio
import base64
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import pytest
from pydantic import BaseModel
from websockets.asyncio.client import connect

from catalog import Catalog
from frontend_proxy.keyframes.admission import Admission
from frontend_proxy.keyframes.codec import Json
from frontend_proxy.parsing import LARGE
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, RENDER, Serve, encoded
from tests.frontend_proxy.keyframes.messages import answer, keyframe


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


async def test_the_frame_id_is_in_every_kind_of_answer(serve: Serve) -> None:
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


async def test_a_photo_of_the_garment_stands_in_for_the_render(serve: Serve, server: FakeServer) -> None:
    frame, garment = (base64.b64decode(image.split(",")[1]) for image in (FRAME, RENDER))
    async with serve() as address:
        async with connect(f"ws://{address}/ws") as socket:
            for render in (None, "data:,", "Zm9v"):
                sent = keyframe(jacket_render=render, garment_image=RENDER, category="bottoms")
                await socket.send(sent)
                assert (await answer(socket))["mode"] == "ai_enhanced"
        async with connect(f"ws://{address}/ws", subprotocols=["lucy.msgpack.v1"]) as socket:
            message = {"type": "keyframe", "camera_frame": frame, "garment_image": garment}
            await socket.send(msgpack.packb({**message, "category": "bottoms"}))
            assert msgpack.unpackb(await socket.recv())["mode"] == "ai_enhanced"
    assert len(server.started) == 4
    for job in server.started:
        assert (job.jacket_render, job.garment_image, job.category) == (None, garment, "bottoms")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"garment_image": "no base64!"}, "INVALID_INPUT"),
        ({"garment_image": encoded("RGB", "GIF")}, "IMAGE_DECODE"),
        ({"garment_image": encoded("1", "PNG", size=(6000, 6000))}, "IMAGE_DECODE"),
        ({"category": "shoes"}, "INVALID_INPUT"),
    ],
)
async def test_a_garment_that_cannot_be_read_is_named(
    serve: Serve, fields: dict[str, str], code: str
) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        await socket.send(keyframe(**fields))
        message = await answer(socket)
    assert (message["type"], message["code"]) == ("error", code)
    assert next(iter(fields)) in message["error"]


async def test_another_garment_is_another_scene(serve: Serve, server: FakeServer) -> None:
    other = encoded("RGB", "PNG", colour="olive")
    async with serve(workers=True) as address, connect(f"ws://{address}/ws") as socket:

        async def reused(**fields: object) -> bool:
            await socket.send(keyframe(jacket_render=None, **fields))
            return bool((await answer(socket))["reused"])

        async with asyncio.timeout(30):  # nothing is compared while the worker process starts
            while not await reused(garment_image=RENDER):
                await asyncio.sleep(0.1)
        photo = {"garment_image": other}
        for changed in (
            photo,
            {**photo, "category": "bottoms"},
            {"garments": [photo]},
            {"garments": [{**photo, "fabric_id": "denim-blue"}]},
        ):
            assert not await reused(**changed)
            async with asyncio.timeout(10):
                while not await reused(**changed):
                    await asyncio.sleep(0.1)


async def test_an_unchanged_scene_is_not_sent_to_the_model(
    serve: Serve, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But an answer of fewer steps is not kept: the next one may be better."""

    @asynccontextmanager
    async def under_load(admission: Admission, caller: str) -> AsyncIterator[int]:
        yield 1

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

        monkeypatch.setattr(Admission, "admitted", under_load)
        for _ in range(4):
            await asyncio.sleep(0.1)
            await socket.send(keyframe())
            message = await answer(socket)
            assert (message["mode_reason"], message["reused"]) == ("fewer_steps", False)


async def test_changes_of_the_wall_clock_do_not_matter(
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


async def test_quality_is_a_number_of_steps(serve: Serve, server: FakeServer) -> None:
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        for fields in ({"quality": "low"}, {}, {"quality": "high"}, {"quality": "high", "steps": 3}):
            await socket.send(keyframe(**fields))
            await answer(socket)
    assert [job.steps for job in server.started] == [2, None, 8, 3]


async def test_low_quality_never_takes_more_steps_than_the_default(serve: Serve, server: FakeServer) -> None:
    """A checkpoint of one step: `low` took two, and was slower than `medium`."""
    server.default_steps = 1
    async with serve() as address, connect(f"ws://{address}/ws") as socket:
        for fields in ({}, {"quality": "low", "steps": 3}, {"quality": "low"}):
            await socket.send(keyframe(**fields))
            await answer(socket)
    assert [job.steps for job in server.started] == [None, 3, 1], "3 is one client's, no default"


async def test_keyframes_of_a_connection_share_a_seed_unless_they_have_their_own(
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


async def test_a_large_answer_is_encoded_beside_the_event_loop(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()
    encode = Json.encode

    def observed(codec: Json, message: BaseModel) -> str:
        threads.add(threading.current_thread() is threading.main_thread())
        return encode(codec, message)

    monkeypatch.setattr(Json, "encode", observed)
    frame = base64.b64encode(base64.b64decode(encoded("RGB", "JPEG")) + bytes(LARGE)).decode()
    async with serve() as address, connect(f"ws://{address}/ws", max_size=None) as socket:
        await socket.send(keyframe(1, camera_frame=frame))
        assert (await answer(socket))["timestamp"] == 1
    assert threads == {False}
