"""The WebSocket of the contract, with the messages of real clients, through the real server."""

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.test_http import frame_of

KEYFRAMES = Path(__file__).parents[1] / "data" / "keyframes"
REAL = ["opaque_over_video", "transparent_no_pose", "transparent_off_body"]


def keyframe(name: str, **fields: Any) -> dict[str, Any]:
    """The message as the client sent it."""
    folder = KEYFRAMES / name
    message = json.loads((folder / "message.json").read_text())
    for field, media_type in (("camera_frame", "image/jpeg"), ("jacket_render", "image/png")):
        data = base64.b64encode((folder / message[field]).read_bytes()).decode()
        message[field] = f"data:{media_type};base64,{data}"
    return {**message, **fields}


async def ask(socket: ClientConnection, message: dict[str, Any]) -> dict[str, Any]:
    await socket.send(json.dumps(message))
    return json.loads(await asyncio.wait_for(socket.recv(), 60))


def picture(message: dict[str, Any]) -> np.ndarray:
    prefix, data = message["image"].split(",")
    assert prefix == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture
async def socket(stack):
    async with connect(stack.url.replace("http", "ws") + "/ws", max_size=None) as socket:
        yield socket


@pytest.mark.parametrize("name", REAL)
async def test_a_real_keyframe_is_dressed(socket, name):
    message = keyframe(name)
    answer = await ask(socket, message)
    assert (answer["type"], answer["mode"]) == ("keyframe_result", "ai_enhanced"), answer
    assert answer["timestamp"] == message["timestamp"]
    assert answer["steps"] > 0
    assert answer["mask_source"]
    assert answer["latency_ms"]["total"] > 0
    frame, result = frame_of(name), picture(answer)
    assert result.shape == frame.shape
    changed = np.abs(result.astype(int) - frame).max(axis=2) > 40
    assert not changed[:16].any()
    assert 0.01 < changed.mean() < 0.8


@pytest.mark.parametrize(
    "pose", [None, {}, {"landmarks": None}, {"landmarks": [{"x": None, "y": None}] * 33}]
)
async def test_tracking_lost(socket, pose):
    assert (await ask(socket, keyframe("transparent_off_body", pose=pose)))["mode"] == "ai_enhanced"


@pytest.mark.parametrize("fabric_id", [None, "denim-blue", "custom-1707735000000"])
async def test_any_fabric(socket, fabric_id):
    assert (await ask(socket, keyframe("transparent_no_pose", fabric_id=fabric_id)))["mode"] == "ai_enhanced"


async def test_without_a_render_the_frame_comes_back(socket):
    message = keyframe("transparent_no_pose", jacket_render=None)
    answer = await ask(socket, message)
    assert (answer["mode"], answer["mode_reason"]) == ("fallback", "no_garment")
    assert answer["image"] == message["camera_frame"]


async def test_a_photo_of_the_garment_alone_is_not_for_this_checkpoint(socket):
    photo = base64.b64encode((KEYFRAMES.parent / "trials" / "cut_out.png").read_bytes()).decode()
    fields = {"jacket_render": None, "garment_image": photo, "category": "tops"}
    answer = await ask(socket, keyframe("opaque_over_video", **fields))
    assert (answer["type"], answer["mode"], answer["mode_reason"]) == (
        "keyframe_result",
        "fallback",
        "needs_render",
    )
    assert "jacket_render" in answer["detail"]
    frame = frame_of("opaque_over_video")
    assert np.abs(picture(answer).astype(int) - frame).mean() < 3


async def test_a_canvas_that_holds_only_the_video_is_no_garment(socket):
    """The newer client's skeleton code draws no jacket after its first pose."""
    frame = frame_of("opaque_over_video")
    canvas = cv2.imencode(".png", cv2.resize(frame, (960, 540)))[1].tobytes()
    answer = await ask(socket, keyframe("opaque_over_video", jacket_render=base64.b64encode(canvas).decode()))
    assert (answer["mode"], answer["mode_reason"]) == ("fallback", "no_garment")
    assert np.abs(picture(answer).astype(int) - frame).mean() < 3


async def test_a_flat_opaque_jpeg_leaves_the_face_alone(socket):
    """What a test client sends; an alpha test alone would paint over the whole frame."""
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480), (90, 90, 200)).save(buffer, "JPEG")
    flat = base64.b64encode(buffer.getvalue()).decode()
    answer = await ask(socket, keyframe("opaque_over_video", jacket_render=flat))
    assert answer["type"] == "keyframe_result"
    frame, result = frame_of("opaque_over_video"), picture(answer)
    height, width = frame.shape[:2]
    nose = json.loads((KEYFRAMES / "opaque_over_video" / "message.json").read_text())["pose"]["landmarks"][0]
    x, y = int(nose["x"] * width), int(nose["y"] * height)
    face = np.s_[y - 10 : y + 10, x - 10 : x + 10]
    assert np.abs(result[face].astype(int) - frame[face]).mean() < 6


@pytest.mark.parametrize("name", ["transparent_no_pose", "opaque_over_video"])
async def test_the_client_s_own_mask_bounds_the_garment(socket, name):
    mask = np.zeros((90, 160), np.uint8)
    mask[40:60, 70:90] = 255
    data = base64.b64encode(cv2.imencode(".png", mask)[1]).decode()
    message = keyframe(name, mask=data, pose=None, render_fit="stretch")
    answer = await ask(socket, message)
    assert (answer["mode"], answer["mask_source"]) == ("ai_enhanced", "client")
    frame, result = frame_of(name), picture(answer)
    changed = cv2.resize((np.abs(result.astype(int) - frame).max(axis=2) > 40).astype(np.uint8), (160, 90))
    assert not np.delete(np.delete(changed, np.s_[36:64], 0), np.s_[66:94], 1).any()
    assert changed[40:60, 70:90].any()


async def test_errors_leave_the_socket_open(socket):
    for broken in ("not json", b"binary", json.dumps(keyframe("transparent_no_pose", camera_frame=None))):
        await socket.send(broken)
        error = json.loads(await asyncio.wait_for(socket.recv(), 60))
        assert (error["type"], error["code"]) == ("error", "INVALID_INPUT")
    assert (await ask(socket, keyframe("transparent_no_pose")))["type"] == "keyframe_result"


async def test_a_still_scene_is_answered_with_a_still_picture(socket):
    """The seed belongs to the connection: with a fresh one a frame the garment would shimmer."""
    first, second = [await ask(socket, keyframe("transparent_no_pose")) for _ in range(2)]
    assert first["seed"] == second["seed"]
    assert first["image"] == second["image"]
    assert not second["reused"]


async def test_a_flood_is_answered_in_order_and_ends_with_the_newest(either_stack):
    message = keyframe("transparent_no_pose")
    timestamps = [-1]
    async with connect(either_stack.url.replace("http", "ws") + "/ws", max_size=None) as socket:
        for timestamp in range(30):
            await socket.send(json.dumps({**message, "timestamp": timestamp}))
        while timestamps[-1] != 29:
            timestamps.append(json.loads(await asyncio.wait_for(socket.recv(), 60))["timestamp"])
    assert timestamps == sorted(timestamps)
    assert len(timestamps) < 30


async def test_closing_the_socket_stops_the_job_s_steps(either_stack):
    async def inferences() -> int:
        return await asyncio.to_thread(either_stack.inferences, "unet")

    before = await inferences()
    async with connect(either_stack.url.replace("http", "ws") + "/ws") as socket:
        await socket.send(json.dumps(keyframe("transparent_no_pose", steps=50, guidance_scale=1)))
        while await inferences() < before + 3:
            await asyncio.sleep(0.02)
    at_closing = await inferences()
    await asyncio.sleep(1)
    later = await inferences()
    assert later <= at_closing + 3  # two ticks, and one that was under way
    await asyncio.sleep(1)
    assert await inferences() == later
