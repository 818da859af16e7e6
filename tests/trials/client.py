"""A plain client: keyframes, captures and scans as the simplest program of a user sends them."""

import asyncio
import base64
import io
import json
from pathlib import Path

import httpx
import numpy as np
import websockets
from PIL import Image

FOLDER = Path(__file__).parents[1] / "data" / "trials"
POSES = json.loads((FOLDER / "poses.json").read_text())
CHANGED = 12  # grey levels beyond which a pixel differs by more than JPEG's noise


def uri(name):
    """A file of the trials as a data URI."""
    kind = Path(name).suffix[1:].replace("jpg", "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode((FOLDER / name).read_bytes()).decode()}"


def pixels(data):
    """(H, W, 3) of compressed bytes or a data URI, in RGB."""
    if isinstance(data, str):
        data = base64.b64decode(data.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def photo(name):
    return pixels((FOLDER / name).read_bytes())


def difference(answer, frame):
    """Mean difference of each pixel over the channels, (H, W)."""
    assert answer.shape == frame.shape, f"the answer is {answer.shape}, the frame {frame.shape}"
    return abs(answer - frame).mean(2)


def changed(answer, frame):
    """The share of the picture that is no longer the camera's."""
    return float((difference(answer, frame) > CHANGED).mean())


def around(off, landmarks, radius):
    """Mean of `off` within `radius` pixels of landmarks of the good pose."""
    y, x = np.mgrid[: off.shape[0], : off.shape[1]]
    points = [POSES["good"]["landmarks"][index] for index in landmarks]
    near = np.logical_or.reduce(
        [np.hypot(x - p["x"] * off.shape[1], y - p["y"] * off.shape[0]) < radius for p in points]
    )
    return float(off[near].mean())


def face(off):
    return around(off, (2, 5, 9, 10), 5)


def hands(off):
    return around(off, (15, 16, 19, 20), 3)


class Server:
    """A running server at `url`. Use it as an async context manager."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self.http = httpx.AsyncClient(base_url=self.url, timeout=60, trust_env=False)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        await self.http.aclose()

    async def keyframes(self, poses, frame="person.jpg", render="jacket.png", path="/ws", **fields):
        """The answers to one keyframe for each pose, sent one after another on one socket."""
        message = {"type": "keyframe", "camera_frame": uri(frame), "fabric_id": None, "seed": 1, **fields}
        if render:
            message["jacket_render"] = uri(render)
        answers = []
        async with websockets.connect(f"ws{self.url[4:]}{path}", max_size=None, proxy=None) as socket:
            for number, pose in enumerate(poses):
                await socket.send(json.dumps({**message, "pose": pose, "timestamp": number}))
                answers.append(json.loads(await asyncio.wait_for(socket.recv(), 30)))
        return answers

    async def keyframe(self, pose, **options):
        return (await self.keyframes([pose], **options))[0]

    async def capture(self, steps=2, **fields):
        body = {"user_image": uri("person.jpg"), "jacket_render": uri("jacket.png"), "pose": None, "seed": 1}
        return await self.http.post("/virtual-tryon", json=body | {"steps": steps} | fields)

    async def scan(self, file, kind="application/octet-stream", /, **fields):
        files = {"image": (file, (FOLDER / file).read_bytes(), kind)}
        return await self.http.post("/api/fabric/scan", files=files, data={"size": "512", **fields})
