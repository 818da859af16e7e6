"""The films of one process, with a worker that lives in this process and a fake model."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from frontend_proxy.background import Background
from frontend_proxy.errors import InsufficientStorage
from frontend_proxy.jobs import Job
from frontend_proxy.settings import Settings
from frontend_proxy.videos import film
from frontend_proxy.videos.poses import Poses
from frontend_proxy.videos.record import VideoRecord
from frontend_proxy.videos.service import VideoService
from tests import films
from tests.fakes import FakeServer
from tests.frontend_proxy.videos.test_run import InProcess

JOB = Job(
    request_id="test", mode="video", camera_frame=b"", jacket_render=None, output_format="light", seed=1
)


@pytest.fixture
def worker() -> InProcess:
    return InProcess(lambda name, count: None)


@pytest.fixture
async def service(settings: Settings, worker: InProcess) -> AsyncIterator[VideoService]:
    background, server = Background(), FakeServer()
    server.delay_s = 60
    service = VideoService(settings, server, worker, background)  # type: ignore[arg-type]
    async with service.running():
        yield service
    await background.close()


async def accepted(service: VideoService, folder: Path) -> VideoRecord:
    clip = films.write(folder / "clip.mp4", films.frames(3)).read_bytes()
    sent = {film.VIDEO: clip, film.LAYER: clip}
    return await service.accept(sent, Poses.read(None), JOB, "mp4", "http://lucy.test", None)


async def test_a_cancelled_film_is_closed_in_the_worker(
    service: VideoService, worker: InProcess, tmp_path: Path
) -> None:
    record = await accepted(service, tmp_path)
    async with asyncio.timeout(10):
        while "stills" not in worker.calls:
            await asyncio.sleep(0.01)
        await service.remove(record.result_id)
        while "end" not in worker.calls:
            await asyncio.sleep(0.01)
    assert not film._open


@pytest.mark.parametrize("broken", ["tempfile.mkdtemp", "pathlib.Path.write_bytes"])
async def test_a_full_disk_is_told(
    service: VideoService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(broken, full)
    with pytest.raises(InsufficientStorage, match="No space left"):
        await accepted(service, tmp_path)
