"""Malformed messages: real ones, changed at random in ways that reach every layer."""

import base64
import json
import random
import struct
import zlib

import msgpack

NASTY = [
    *(None, True, False, 0, -1, 1e308, -0.0, 2**53, 2**63, 2**64 - 1, float("nan"), float("inf")),
    *("", "\0", "data:,", "data:image/png;base64,", "=" * 9, "ﷺ" * 99, "x" * 9999, "../../etc/passwd"),
    *([], {}, [[]] * 99, [None] * 33, {"landmarks": "none"}, {"landmarks": [{}] * 33}, {"": {"": {}}}),
]
DEEP = "[" * 150 + "]" * 150


class Mutations:
    """A seeded source of frames for one connection; str is a text frame, bytes a binary one."""

    def __init__(self, seed: int, camera_frame: bytes, jacket_render: bytes, binary: bool):
        self._random = random.Random(seed)
        self._binary = binary
        points = [{"x": 0.5, "y": i / 40, "z": -0.1, "visibility": 0.9} for i in range(33)]
        self._message = {
            "type": "keyframe",
            "timestamp": 1707735000000,
            "camera_frame": camera_frame,
            "jacket_render": jacket_render,
            "pose": {"landmarks": points, "shoulderWidth": 0.25, "rotation": 2.5},
            "fabric_id": "denim-blue",
            "seed": 7,
            "strength": 0.5,
            "quality": "low",
            "session_id": "fuzz",
        }

    def frame(self, frame_id: int) -> str | bytes:
        message = {
            **self._message,
            "pose": json.loads(json.dumps(self._message["pose"])),
            "frame_id": frame_id,
        }
        for _ in range(self._random.choice((1, 1, 2, 3))):
            self._random.choice((self._picture, self._field, self._field, self._landmark, self._rename))(
                message
            )
        frame = self.encoded(message)
        return self._bytes(frame) if self._random.random() < 0.3 else frame

    def encoded(self, message: dict) -> str | bytes:
        if self._binary:
            return msgpack.packb(message)
        images = {
            name: base64.b64encode(value).decode()
            for name, value in message.items()
            if isinstance(value, bytes)
        }
        return json.dumps({**message, **images}).replace('"deep"', DEEP)

    def sound(self, frame_id: int) -> str | bytes:
        """A keyframe that must be answered."""
        return self.encoded({**self._message, "frame_id": frame_id})

    def _field(self, message: dict) -> None:
        name = self._random.choice([*message, "steps", "guidance_scale", "mask", "render_fit"])
        if name not in ("type", "frame_id"):
            message[name] = self._random.choice([*NASTY, "deep"])

    def _landmark(self, message: dict) -> None:
        pose = message.get("pose")
        if isinstance(pose, dict) and isinstance(pose.get("landmarks"), list) and pose["landmarks"]:
            pose["landmarks"][self._random.randrange(len(pose["landmarks"]))] = self._random.choice(
                [*NASTY, {"x": self._random.choice(NASTY), "y": 0.5}, {"x": 1e300, "y": -1e300}]
            )

    def _rename(self, message: dict) -> None:
        name = self._random.choice(sorted(set(message) - {"type", "frame_id"}))
        message[name.upper()] = message.pop(name)

    def _picture(self, message: dict) -> None:
        name = self._random.choice(("camera_frame", "jacket_render"))
        if isinstance(message.get(name), bytes) and message[name]:
            message[name] = self._random.choice((self._flipped, self._cut, self._bomb, self._other))(
                message[name]
            )

    def _flipped(self, picture: bytes) -> bytes:
        changed = bytearray(picture)
        for _ in range(self._random.randint(1, 8)):  # half of them in the header
            end = self._random.choice((min(64, len(changed)), len(changed)))
            changed[self._random.randrange(end)] = self._random.randrange(256)
        return bytes(changed)

    def _cut(self, picture: bytes) -> bytes:
        return picture[: self._random.randrange(len(picture))]

    def _bomb(self, picture: bytes) -> bytes:
        """A PNG header that announces many pixels, without data."""
        side = self._random.choice((0, 1, 3000, 2**16, 2**31 - 1))
        header = b"IHDR" + struct.pack(
            ">IIBBBBB", side, side, *self._random.choice(((8, 6), (16, 6), (1, 0))), 0, 0, 0
        )
        return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))

    def _other(self, picture: bytes) -> bytes:
        return self._random.choice((b"", b"GIF89a" + picture, b"RIFF\xff\xff\xff\xffWEBPVP8 ", picture * 3))

    def _bytes(self, frame: str | bytes) -> str | bytes:
        """The frame with some bytes changed; a text frame stays UTF-8, since the library sends no other."""
        data = bytearray(frame.encode() if isinstance(frame, str) else frame)
        for _ in range(self._random.randint(1, 5)):
            at = self._random.randrange(len(data) + 1)
            match self._random.randrange(4):
                case 0:
                    data[at : at + 1] = self._random.randbytes(1)
                case 1:
                    del data[at : at + self._random.randint(1, 400)]
                case 2:
                    data[at:at] = self._random.randbytes(self._random.randint(1, 40))
                case 3:
                    data[at:at] = data[: self._random.randint(0, 200)]
        if self._random.random() < 0.05:  # text as binary, and the reverse
            return bytes(data) if isinstance(frame, str) else data.decode(errors="replace")
        return data.decode(errors="replace") if isinstance(frame, str) else bytes(data)
