"""Sends one picture in turn as a keyframe, a capture and a scan."""

import asyncio
import itertools
from collections.abc import Callable

import msgpack

from benchmarks.hostile.clients.client import Defaults
from benchmarks.hostile.clients.form import form, part, post
from benchmarks.hostile.connection import BINARY, CLOSE, CLOSED, Connection, frame
from benchmarks.hostile.target import Target

SUBPROTOCOL = "lucy.msgpack.v1"  # pictures travel as they are
EVERYWHERE = ("keyframe", "capture", "scan")


class PictureSender(Defaults):
    """make: the picture's bytes. uses: what it is sent as, in turn."""

    def __init__(
        self, name: str, period_s: float, make: Callable[[], bytes], uses: tuple[str, ...] = EVERYWHERE
    ):
        self.name, self.period_s = name, period_s
        self._make, self._uses = make, itertools.cycle(uses)

    def prepare(self) -> None:
        self._make()

    async def attempt(self, target: Target, source: str) -> str:
        use, picture = next(self._uses), self._make()
        if use == "keyframe":
            return await _send_keyframe(target, source, picture)
        names, path = {
            "capture": (("user_image", "jacket_render"), "/virtual-tryon"),
            "scan": (("image",), "/api/fabric/scan"),
        }[use]
        return await post(target, source, path, form(*(part(name, picture, "picture") for name in names)))


async def _send_keyframe(target: Target, source: str, picture: bytes) -> str:
    """The answer's mode, or its error's code."""
    message = {"type": "keyframe", "timestamp": 0, "camera_frame": picture, "jacket_render": picture}
    async with Connection.open(target, source) as connection:
        status = await connection.upgrade(target, SUBPROTOCOL)
        if status != "101":
            return status
        try:
            await connection.send(frame(BINARY, msgpack.packb(message)))
            while True:
                opcode, payload = await connection.receive()
                if opcode == BINARY:
                    answer = msgpack.unpackb(payload)
                    return str(answer.get("code") or answer.get("mode_reason") or answer.get("mode"))
                if opcode == CLOSE:
                    return f"ws {int.from_bytes(payload[:2], 'big')}"
        except (asyncio.IncompleteReadError, ConnectionError):
            return CLOSED
