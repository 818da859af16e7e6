"""Messages of a client of `/ws`, for the tests."""

import asyncio
import base64
import io
import json
from typing import Any

from PIL import Image
from websockets.asyncio.client import ClientConnection

from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, RENDER


def keyframe(timestamp: object = 1, **fields: object) -> str:
    message = {"type": "keyframe", "timestamp": timestamp, "camera_frame": FRAME, "jacket_render": RENDER}
    return json.dumps({**message, "pose": None, "fabric_id": None, **fields})


async def answer(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):  # `wait_for` loses a cancel that comes with the message (Python 3.11)
        return json.loads(await socket.recv())


def image_of(message: dict[str, Any]) -> Image.Image:
    prefix, data = message["image"].split(",")
    assert prefix == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


async def started(server: FakeServer, jobs: int) -> None:
    async with asyncio.timeout(10):
        while len(server.started) < jobs:
            await asyncio.sleep(0.01)
