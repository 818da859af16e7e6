"""The sessions' pictures: the recorded keyframe, shifted a little each time, so that no answer is reused."""

import base64
import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np

KEYFRAME = Path(__file__).resolve().parents[2] / "tests" / "data" / "keyframes" / "transparent_no_pose"
# Horizontal shifts in pixels of a 1280×720 frame, one per keyframe: left to right and back, each only once.
SWAY = (*range(-32, 32, 8), *range(28, -32, -8))


def swaying(height: int = 720) -> list[tuple[str, str]]:
    """Camera frames and jacket renders as data URIs, `height` pixels high, one pair for each of SWAY."""
    return [(_uri("jpeg", frame), _uri("png", render)) for frame, render in swaying_bytes(height)]


@cache
def swaying_bytes(height: int = 720) -> list[tuple[bytes, bytes]]:
    """The same pictures as file contents: JPEG and PNG."""
    frame = cv2.imread(str(KEYFRAME / "camera_frame.jpg"), cv2.IMREAD_UNCHANGED)
    render = cv2.imread(str(KEYFRAME / "jacket_render.png"), cv2.IMREAD_UNCHANGED)
    scale = height / frame.shape[0]
    return [
        (
            cv2.imencode(".jpg", _moved(frame, dx, scale), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes(),
            cv2.imencode(".png", _moved(render, dx * render.shape[1] / frame.shape[1], scale))[1].tobytes(),
        )
        for dx in SWAY
    ]


def _moved(picture: np.ndarray, dx: float, scale: float) -> np.ndarray:
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    matrix = np.array([[scale, 0, dx * scale], [0, scale, 0]])
    border = cv2.BORDER_REPLICATE if picture.shape[2] == 3 else cv2.BORDER_CONSTANT
    return cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)


def _uri(kind: str, picture: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


class Messages:
    """Keyframe messages, encoded as JSON in advance, so that the client's work is not measured.

    steps, answer: what each message asks for; None leaves it to the server.
    """

    def __init__(self, pairs: list[tuple[str, str]], steps: int | None = None, answer: str | None = None):
        fields = {"type": "keyframe", "pose": None, "fabric_id": "denim-blue"}
        fields |= {name: it for name, it in (("steps", steps), ("answer", answer)) if it}
        self._ends = [
            json.dumps({**fields, "camera_frame": frame, "jacket_render": render})[:-1]
            for frame, render in pairs
        ]

    def __getitem__(self, timestamp: int) -> str:
        return f'{self._ends[timestamp % len(self._ends)]}, "timestamp": {timestamp}}}'
