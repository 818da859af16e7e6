"""A client that sends keyframes on one socket."""

import base64
import json
from contextlib import asynccontextmanager
from pathlib import Path

import msgpack
from websockets.asyncio.client import connect

FOLDER = Path(__file__).parents[2] / "tests" / "data" / "keyframes" / "transparent_no_pose"  # 1280×720
FRAME, RENDER = ((FOLDER / name).read_bytes() for name in ("camera_frame.jpg", "jacket_render.png"))
POSE = {"landmarks": [{"x": 0.5, "y": i / 40, "z": -0.1, "visibility": 0.95} for i in range(33)]}


class Client:
    """One socket. Every keyframe has its own seed, so that no answer is reused."""

    def __init__(self, socket, binary):
        self.socket, self._binary = socket, binary
        frame, render = (FRAME, RENDER) if binary else map(in_base64, (FRAME, RENDER))
        self._message = {"type": "keyframe", "camera_frame": frame, "jacket_render": render, "pose": POSE,
                         "fabric_id": "denim-blue"}  # fmt: skip

    @classmethod
    @asynccontextmanager
    async def dial(cls, served, binary):
        protocol = "lucy.msgpack.v1" if binary else "lucy.json.v1"
        async with connect(
            served.sockets, subprotocols=[protocol], max_size=None, compression=None
        ) as socket:
            yield cls(socket, binary)

    def encoded(self, number, **fields):
        message = {**self._message, "timestamp": number, "seed": number, **fields}
        return msgpack.packb(message) if self._binary else json.dumps(message)

    def decoded(self, data):
        return msgpack.unpackb(data) if self._binary else json.loads(data)

    async def send(self, number):
        await self.socket.send(self.encoded(number))

    async def receive(self):
        return self.decoded(await self.socket.recv())


def in_base64(image):
    return base64.b64encode(image).decode()
