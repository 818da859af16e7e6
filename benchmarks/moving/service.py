"""The same film by `POST /api/video`: a real encoder before it, and one after it."""

import json
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from benchmarks.moving.film import RATE, Moment
from tests import films
from training.landmarks import as_points


def dressed_film(url: str, moments: list[Moment]) -> list[np.ndarray]:
    """The dressed frames, decoded."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = films.write(
            folder / "clip.mp4", [moment.frame for moment in moments], rate=RATE, options={"crf": "17"}
        )
        layer = films.with_alpha(folder / "layer.webm", [moment.render for moment in moments], RATE)
        sent = {"video": clip.read_bytes(), "layer": layer.read_bytes(), "poses": _poses(moments)}
        accepted = httpx.post(f"{url}/api/video", files=sent, data={"seed": 7}, timeout=120)
        accepted.raise_for_status()
        while (status := httpx.get(accepted.json()["url"], timeout=60).json())["state"] == "running":
            time.sleep(0.5)
        if status["state"] != "succeeded":
            raise RuntimeError(status["failure"]["error"])
        film = folder / "film.mp4"
        film.write_bytes(httpx.get(status["result"]["url"], timeout=60).content)
        return films.read(film)


def _poses(moments: list[Moment]) -> bytes:
    return "\n".join(
        json.dumps({"time": moment.time, "landmarks": as_points(moment.landmarks)}) for moment in moments
    ).encode()
