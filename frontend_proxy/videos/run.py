"""One film that is being made: each frame's light from the model, then all frames in their lights."""

import asyncio
import statistics
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from frontend_proxy.answer_schemas import Report
from frontend_proxy.captures.storage_errors import storage_errors
from frontend_proxy.errors import ModelUnavailable, Overloaded, UndecodableImage
from frontend_proxy.jobs import Job, ModelServer, Result, run_to_result
from frontend_proxy.videos import film
from frontend_proxy.videos.clip import ClipInfo, Limits
from frontend_proxy.videos.poses import Poses
from frontend_proxy.videos.record import VideoProgress
from frontend_proxy.worker import Worker

CHUNK = 6  # frames of one call of the worker, which then serves other films
AT_ONCE = 2  # frames at the model: one is computed while the next one is on its way
NEIGHBOURS = 10  # frames on either side whose light counts
RETRY_S = 1.0  # before a model that is away is asked again
FRAME_TIMEOUT_S = 30.0
PASSES = 3  # of writing, if what was written is lost

P = ParamSpec("P")
R = TypeVar("R")
Answer = film.Light | Path | None


@dataclass(frozen=True)
class Assignment:
    """folder: of the films (`film.VIDEO`, `film.LAYER`, `film.MASK`). job: of a frame, but for its pictures.
    output: the finished film."""

    folder: Path
    limits: Limits
    info: ClipInfo
    job: Job
    poses: Poses
    output: Path


@dataclass
class Made:
    """Of each frame its time and its answer; and the reports of all."""

    times: list[float] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)

    @property
    def dressed(self) -> int:
        return sum(answer is not None for answer in self.answers)

    def report(self) -> Report:
        """The first dressed frame's, or the most frequent reason why there is none."""
        dressed = [report for report in self.reports if report.mode == "ai_enhanced"]
        if not dressed:
            reasons = Counter(report.mode_reason for report in self.reports).most_common(1)
            return Report(mode="fallback", mode_reason=reasons[0][0])
        stages = dressed[0].latency_ms
        means = {
            name: round(statistics.fmean(it.latency_ms.get(name, 0) for it in dressed), 1) for name in stages
        }
        return dressed[0].model_copy(update={"latency_ms": means})


class VideoRun:
    """on_progress: called with each chunk."""

    def __init__(self, server: ModelServer, worker: Worker, on_progress: Callable[[VideoProgress], None]):
        self._server, self._worker, self._on_progress = server, worker, on_progress

    async def make(self, it: Assignment) -> Made:
        """Raises what the model and the worker raise, and InsufficientStorage."""
        made = await self._read(it, whole=False)
        if made is None:  # the checkpoint has no light, so that its pictures are used
            made = await self._read(replace(it, job=replace(it.job, output_format="jpeg")), whole=True)
        if not made or not made.answers:
            raise UndecodableImage("video has no pictures")
        await self._write(it, made)
        return made

    async def _read(self, it: Assignment, whole: bool) -> Made | None:
        made, start, more = Made(), 0, True
        while more:
            stills = await self._work(film.stills, it.folder, it.limits, start, CHUNK, whole)
            for first in range(0, len(stills), AT_ONCE):
                some = stills[first : first + AT_ONCE]
                asked = (self._ask(it, start + first + n, still) for n, still in enumerate(some))
                for still, result in zip(some, await asyncio.gather(*asked), strict=True):
                    if result.report.mode == "ai_enhanced" and result.light is None and not whole:
                        return None
                    made.times.append(still.seconds)
                    made.reports.append(result.report)
                    made.answers.append(await self._answer(it, len(made.answers), result))
            start, more = start + len(stills), len(stills) == CHUNK
            self._report("reading", start, it)
        return made

    async def _ask(self, it: Assignment, number: int, still: film.Still) -> Result:
        pose, detail = it.poses.at(number, still.seconds, (it.info.width, it.info.height))
        job = replace(
            it.job,
            camera_frame=still.frame,
            jacket_render=still.layer,
            mask=still.mask,
            pose=pose,
            detail=detail,
        )
        while True:
            try:
                return await run_to_result(self._server, job, FRAME_TIMEOUT_S)
            except ModelUnavailable:  # the film's own deadline ends this
                await asyncio.sleep(RETRY_S)

    async def _answer(self, it: Assignment, number: int, result: Result) -> Answer:
        if result.report.mode != "ai_enhanced":
            return None
        if result.light is None:
            path = it.folder / f"{number}.jpg"
            with storage_errors():
                await asyncio.to_thread(path.write_bytes, result.image)
            return path
        told = result.light.model_dump(exclude={"occlusion"})
        return film.Light(result.image, told, result.light.occlusion)

    async def _work(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`Worker.run`; a film that is being made waits where the queue is full."""
        while True:
            try:
                return await self._worker.run(function, *args, **kwargs)
            except Overloaded:  # the film's own deadline ends this
                await asyncio.sleep(RETRY_S)

    async def _write(self, it: Assignment, made: Made) -> None:
        """Begins again if the worker was restarted meanwhile: the answers are all here."""
        for _ in range(PASSES - 1):
            with suppress(film.Restarted):
                return await self._write_once(it, made)
        return await self._write_once(it, made)

    async def _write_once(self, it: Assignment, made: Made) -> None:
        for start in range(0, len(made.answers), CHUNK):
            end = min(start + CHUNK, len(made.answers))
            near = slice(max(0, start - NEIGHBOURS), end + NEIGHBOURS)
            around = list(zip(made.times[near], made.answers[near], strict=True))
            last = end == len(made.answers)
            answers = made.answers[start:end]
            await self._work(film.dress, it.folder, it.limits, start, answers, around, it.output, last)
            self._report("writing", end, it, len(made.answers))

    def _report(
        self, stage: Literal["reading", "writing"], frame: int, it: Assignment, frames: int | None = None
    ) -> None:
        total = frames or max(frame, it.info.frames)
        self._on_progress(VideoProgress(stage=stage, frame=frame, frames=total))
