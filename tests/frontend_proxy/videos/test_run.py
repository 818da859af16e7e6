"""The making of a film, with a worker that lives in this process and a fake model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from frontend_proxy.errors import Overloaded
from frontend_proxy.jobs import Job
from frontend_proxy.videos import film, run
from frontend_proxy.videos.clip import Limits
from frontend_proxy.videos.poses import Poses
from frontend_proxy.videos.run import Assignment, VideoRun
from tests import films
from tests.frontend_proxy.videos.test_videos import Lit

COUNT = 15  # three chunks


class InProcess:
    """A worker that calls `before` with each function's name and the number of its calls."""

    def __init__(self, before: Callable[[str, int], None]) -> None:
        self._before, self.calls = before, dict[str, int]()

    async def run(self, function: Any, *args: Any) -> Any:
        self.calls[function.__name__] = count = self.calls.get(function.__name__, 0) + 1
        self._before(function.__name__, count)
        return function(*args)


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    limits = Limits(seconds=5, pixels=2_100_000, jobs=1)
    for name in (film.VIDEO, film.LAYER):
        films.write(tmp_path / "clip.mp4", films.frames(COUNT)).rename(tmp_path / name)
    job = Job(
        request_id="test", mode="video", camera_frame=b"", jacket_render=None, output_format="light", seed=1
    )
    info = film.begin(tmp_path, limits)
    return Assignment(tmp_path, limits, info, job, Poses.read(None), tmp_path / "film.mp4")


async def made(it: Assignment, worker: InProcess) -> None:
    server = Lit()
    server.gone = True
    await VideoRun(server, worker, lambda _: None).make(it)  # type: ignore[arg-type]


async def test_a_worker_that_is_restarted_while_it_writes_costs_no_frames(assignment: Assignment) -> None:
    def before(name: str, count: int) -> None:
        if (name, count) == ("dress", 3):
            film.end(assignment.folder)

    worker = InProcess(before)
    await made(assignment, worker)
    assert len(films.read(assignment.output)) == COUNT
    assert worker.calls["dress"] == 3 + 3


async def test_a_worker_that_is_restarted_again_and_again_is_no_endless_loop(assignment: Assignment) -> None:
    worker = InProcess(lambda name, _: film.end(assignment.folder) if name == "dress" else None)
    with pytest.raises(film.Restarted):
        await made(assignment, worker)


async def test_a_film_waits_where_the_worker_s_queue_is_full(
    assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many films at once one of them failed with OVERLOADED in the middle."""
    monkeypatch.setattr(run, "RETRY_S", 0.01)

    def before(name: str, count: int) -> None:
        if count == 2:
            raise Overloaded("8 photos wait already")

    await made(assignment, InProcess(before))
    assert len(films.read(assignment.output)) == COUNT
