"""`/api/video` with real films, the real worker process and a fake model."""

import asyncio
import base64
import json
import multiprocessing
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from frontend_proxy.answer_schemas import Light, Report
from frontend_proxy.app import create_app
from frontend_proxy.errors import InferenceFailed
from frontend_proxy.jobs import Job, Progress, Result
from frontend_proxy.settings import Settings
from pipeline.light.light_map import encode_light
from tests import films
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import until

COUNT = 9
CODING = {"range": 1.4, "floor": 0.04, "sigma": 0.0117, "detail_gain": 1.0}


class Lit(FakeServer):
    """Every frame gets the same light, which doubles what the layer shows; or a picture, if `pictures`."""

    pictures = False
    gone = False

    async def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        async for _ in super().run(job, timeout_s):
            report = Report(mode="ai_enhanced", seed=job.seed, steps=1, latency_ms={"total": 5.0})
            if self.gone:
                yield Result(b"\0", Report(mode="fallback", mode_reason="no_garment"))
            elif self.pictures:
                yield Result(job.camera_frame, report)
            else:
                light = encode_light(
                    np.full((40, 40, 3), np.log(2), np.float32), np.ones((40, 40), np.float32)
                )
                told = Light(crop=[0, 0, 1, 1], light_coding=CODING)
                yield Result(light.tobytes(), report, told)


@pytest.fixture
def server() -> Lit:
    return Lit()


@pytest.fixture
async def client(settings: Settings, server: Lit) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings.model_copy(update={"max_videos": 1, "max_video_s": 5}), server)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://lucy.test", timeout=60) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("films")
    return {
        "video": films.write(folder / "clip.mp4", films.frames(COUNT)).read_bytes(),
        "layer": films.with_alpha(folder / "layer.webm", films.layers(COUNT)).read_bytes(),
    }


async def finished(client: httpx.AsyncClient, accepted: httpx.Response) -> dict[str, Any]:
    assert accepted.status_code == 202, accepted.text
    assert accepted.headers["Location"] == accepted.json()["url"]
    async with asyncio.timeout(60):
        while (status := (await client.get(accepted.json()["url"])).json())["state"] == "running":
            await asyncio.sleep(0.1)
    return dict(status)


async def film_of(client: httpx.AsyncClient, status: dict[str, Any], path: Path) -> list[np.ndarray]:
    response = await client.get(status["result"]["url"])
    assert response.status_code == 200
    path.write_bytes(response.content)
    return films.read(path)


@pytest.mark.parametrize("kind", ["mp4", "webm"])
async def test_every_frame_shows_the_layer_in_its_light(
    client: httpx.AsyncClient, server: Lit, clip: dict[str, bytes], tmp_path: Path, kind: str
) -> None:
    accepted = await client.post("/api/video", files=clip, data={"format": kind, "seed": "7"})
    status = await finished(client, accepted)
    assert status["state"] == "succeeded", status
    result = status["result"]
    assert (result["frames"], result["dressed"], result["width"], result["height"]) == (COUNT, COUNT, 96, 64)
    assert (result["mode"], result["seed"], result["steps"]) == ("ai_enhanced", 7, 1)
    assert result["seconds"] == pytest.approx((COUNT - 1) / films.RATE)
    pictures = await film_of(client, status, tmp_path / f"film.{kind}")
    assert len(pictures) == COUNT
    for number, picture in enumerate(pictures):
        inside = picture[24:48, 26 + number : 54 + number].reshape(-1, 3).mean(axis=0)
        np.testing.assert_allclose(inside, np.minimum(2 * np.array((40, 80, 160)) + 10, 255), atol=14)
        np.testing.assert_allclose(picture[:8].mean(), 60 + number, atol=4)
    assert {job.mode for job in server.started} == {"video"}
    assert len({job.session for job in server.started}) == 1


async def test_a_checkpoint_without_a_light_paints_whole_frames(
    client: httpx.AsyncClient, server: Lit, clip: dict[str, bytes], tmp_path: Path
) -> None:
    server.pictures = True
    status = await finished(client, await client.post("/api/video", files=clip))
    assert status["state"] == "succeeded", status
    assert [job.output_format for job in server.started][-COUNT:] == ["jpeg"] * COUNT
    pictures = await film_of(client, status, tmp_path / "film.mp4")
    np.testing.assert_allclose([it.mean() for it in pictures], np.arange(COUNT) + 60, atol=3)


async def test_without_a_garment_the_film_is_the_clip(
    client: httpx.AsyncClient, server: Lit, clip: dict[str, bytes], tmp_path: Path
) -> None:
    server.gone = True
    status = await finished(client, await client.post("/api/video", files=clip))
    result = status["result"]
    assert (result["mode"], result["mode_reason"], result["dressed"]) == ("fallback", "no_garment", 0)
    pictures = await film_of(client, status, tmp_path / "film.mp4")
    np.testing.assert_allclose([it.mean() for it in pictures], np.arange(COUNT) + 60, atol=3)


async def test_poses_belong_to_frames_or_times(
    client: httpx.AsyncClient, server: Lit, clip: dict[str, bytes]
) -> None:
    def pose(x: float) -> dict[str, Any]:
        points = [{"x": x, "y": 0.1 + 0.02 * n, "z": 0, "visibility": 1} for n in range(33)]
        return {"landmarks": points}

    lines = [{**pose(0.3), "time": 0.0}, {**pose(0.6), "time": 0.45}]
    poses = "\n".join(json.dumps(line) for line in lines).encode()
    assert (await finished(client, await client.post("/api/video", files={**clip, "poses": poses})))["result"]
    seen = [round(float(job.pose[0, 0]), 2) for job in server.started if job.pose is not None]
    assert sorted(seen) == [0.3] * 5 + [0.6] * 4
    broken = await client.post("/api/video", files={**clip, "poses": b"{}\nno json"})
    assert (broken.status_code, broken.json()["code"]) == (400, "INVALID_INPUT")
    assert "line 2" in broken.json()["error"]


async def test_an_opaque_layer_is_cut_out_by_its_mask(
    client: httpx.AsyncClient, server: Lit, clip: dict[str, bytes], tmp_path: Path
) -> None:
    canvases = films.layers(COUNT)
    opaque = films.write(tmp_path / "layer.mp4", [canvas[:, :, :3].copy() for canvas in canvases])
    masks = [cv2.cvtColor(canvas[:, :, 3], cv2.COLOR_GRAY2BGR) for canvas in canvases]
    mask = films.write(tmp_path / "mask.mp4", masks)
    sent = {"video": clip["video"], "layer": opaque.read_bytes(), "mask": mask.read_bytes()}
    status = await finished(client, await client.post("/api/video", files=sent))
    assert all(job.mask for job in server.started)
    pictures = await film_of(client, status, tmp_path / "film.mp4")
    assert pictures[0][30:40, 30:50, 2].mean() > 200
    assert abs(pictures[0][:8].mean() - 60) < 4


async def test_films_in_json(client: httpx.AsyncClient, clip: dict[str, bytes]) -> None:
    body = {name: base64.b64encode(data).decode() for name, data in clip.items()}
    assert (await finished(client, await client.post("/api/video", json=body)))["state"] == "succeeded"


@pytest.mark.parametrize(
    ("changed", "status", "code", "words"),
    [
        ({"video": b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"}, 400, "IMAGE_DECODE", "video is no film"),
        ({"layer": b"\x1a\x45\xdf\xa3 broken"}, 400, "IMAGE_DECODE", "layer is no film"),
        ({"layer": None}, 400, "INVALID_INPUT", "layer"),
    ],
)
async def test_what_is_no_film_is_refused_at_once(
    client: httpx.AsyncClient, clip: dict[str, bytes], changed: Any, status: int, code: str, words: str
) -> None:
    sent = {name: data for name, data in {**clip, **changed}.items() if data is not None}
    response = await client.post("/api/video", files=sent)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert words in response.json()["error"]


async def test_limits(client: httpx.AsyncClient, clip: dict[str, bytes], tmp_path: Path) -> None:
    long = films.write(tmp_path / "long.mp4", films.frames(52), rate=8).read_bytes()
    response = await client.post("/api/video", files={**clip, "video": long})
    assert (response.status_code, "longer than 5 s" in response.json()["error"]) == (413, True)
    large = films.write(tmp_path / "large.mp4", films.frames(1, (2560, 1440))).read_bytes()
    response = await client.post("/api/video", files={**clip, "video": large})
    assert (response.status_code, "2560×1440" in response.json()["error"]) == (413, True)


async def test_one_at_a_time_until_it_is_cancelled(
    client: httpx.AsyncClient, server: Lit, clip: dict[str, bytes]
) -> None:
    server.delay_s = 60
    accepted = await client.post("/api/video", files=clip)
    assert (await client.post("/api/video", files=clip)).status_code == 429
    async with asyncio.timeout(30):
        while not server.started:
            await asyncio.sleep(0.01)
    assert (await client.delete(accepted.json()["url"])).status_code == 200
    assert (await client.get(accepted.json()["url"])).status_code == 404
    assert len(server.cancelled) > 0
    server.delay_s = 0
    assert (await finished(client, await client.post("/api/video", files=clip)))["state"] == "succeeded"


async def test_a_film_that_keeps_the_worker_fails_and_the_others_go_on(
    settings: Settings, server: Lit, clip: dict[str, bytes]
) -> None:
    app = create_app(settings.model_copy(update={"worker_timeout_s": 5}), server)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://lucy.test", timeout=60) as client,
    ):
        await until(lambda: len(multiprocessing.active_children()) == 2, 30)  # those of scans and keyframes
        before = set(multiprocessing.active_children())
        both = [await client.post("/api/video", files=clip) for _ in range(2)]
        (worker,) = set(multiprocessing.active_children()) - before
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        late, other = sorted([await finished(client, it) for it in both], key=lambda it: str(it["state"]))
    assert (late["state"], late["failure"]["code"]) == ("failed", "TIMEOUT")
    assert other["state"] == "succeeded", other


@pytest.mark.parametrize(("file", "pictures"), [("film.mp4.part", False), ("0.jpg", True)])
async def test_a_disk_that_fills_up_meanwhile_is_told(
    client: httpx.AsyncClient,
    server: Lit,
    clip: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    pictures: bool,
) -> None:
    folder = tmp_path / "film"

    def made(**_: object) -> str:
        folder.mkdir()
        (folder / file).symlink_to("/dev/full")
        return str(folder)

    monkeypatch.setattr("tempfile.mkdtemp", made)
    server.pictures = pictures
    failure = (await finished(client, await client.post("/api/video", files=clip)))["failure"]
    assert (failure["status"], failure["code"]) == (507, "INSUFFICIENT_STORAGE")
    assert "No space left on device" in failure["error"]
    assert not folder.exists()


async def test_a_failure_has_its_own_code(
    client: httpx.AsyncClient, server: Lit, clip: dict[str, bytes]
) -> None:
    server.error = InferenceFailed("no finite pixels")
    status = await finished(client, await client.post("/api/video", files=clip))
    assert (status["state"], status["failure"]["code"], status["result"]) == (
        "failed",
        "INFERENCE_FAILED",
        None,
    )
