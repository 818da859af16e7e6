"""The films of one process, from acceptance to end: each ends in a result or an error."""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from frontend_proxy.background import Background
from frontend_proxy.captures.quota import Quota
from frontend_proxy.captures.record import interrupted
from frontend_proxy.captures.results import CaptureLock, Results
from frontend_proxy.captures.service import end_tasks
from frontend_proxy.captures.storage_errors import storage_errors
from frontend_proxy.errors import (
    DeadlineExceeded,
    NotFound,
    ProxyError,
    internal_error,
    log_error,
)
from frontend_proxy.holder import current_holder
from frontend_proxy.jobs import Job, ModelServer
from frontend_proxy.places import Places
from frontend_proxy.settings import Settings
from frontend_proxy.videos import film
from frontend_proxy.videos.clip import Limits
from frontend_proxy.videos.poses import Poses
from frontend_proxy.videos.record import VideoProgress, VideoRecord
from frontend_proxy.videos.run import Assignment, VideoRun
from frontend_proxy.worker import Worker

logger = logging.getLogger(__name__)

SWEEP_EVERY_S = 60.0
FOLDER = "videos"  # in RESULTS_DIR


class VideoService:
    """At most `Settings.max_videos` are made at once; beyond that there is no queue."""

    def __init__(
        self, settings: Settings, server: ModelServer, worker: Worker, background: Background
    ) -> None:
        self._settings, self._server, self._worker = settings, server, worker
        self._background = background
        self._places = Places(settings.max_videos, "films", settings.max_share_per_caller)
        quota = Quota(settings.results_dir, settings.max_results_bytes)
        self._results = Results(settings.results_dir / FOLDER, quota, VideoRecord)
        self._limits = Limits(settings.max_video_s, settings.max_video_pixels, settings.max_videos)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._progress: dict[str, VideoProgress] = {}

    async def accept(
        self,
        films: dict[str, bytes],
        poses: Poses,
        job: Job,
        output_format: str,
        base_url: str,
        owner: str | None,
    ) -> VideoRecord:
        """Checks the films and begins. films: by the names of `film`. job: of a frame, but for its pictures.

        Raises Overloaded, UndecodableImage, ImageTooLarge, InsufficientStorage.
        """
        with ExitStack() as undo:
            undo.enter_context(self._places.held(current_holder()))
            with storage_errors():
                folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="lucy-film-"))
                undo.callback(shutil.rmtree, folder, ignore_errors=True)
                for name, data in films.items():
                    await asyncio.to_thread((folder / name).write_bytes, data)
            info = await self._worker.run(film.begin, folder, self._limits)
            size = info.width, info.height
            lifetime_s = self._settings.video_timeout_s + self._settings.results_lifetime_s
            record = VideoRecord.of(output_format, size, base_url, lifetime_s, owner)
            lock = await asyncio.to_thread(self._results.create, record)
            assignment = Assignment(
                folder,
                self._limits,
                info,
                replace(job, session=record.result_id),
                poses,
                folder / record.film,
            )
            work = self._make(record, assignment, lock, undo.pop_all())
            self._running[record.result_id] = self._background.task("film", work)
        return record

    async def find(self, video_id: str) -> VideoRecord:
        """Raises NotFound."""
        record = await asyncio.to_thread(self._results.load, video_id)
        if record is None:
            raise NotFound(f"there is no film {video_id!r}, or it has expired")
        assert isinstance(record, VideoRecord)
        return record

    def progress(self, video_id: str) -> VideoProgress | None:
        """None if it does not run, or runs in another process."""
        return self._progress.get(video_id)

    async def file(self, video_id: str, name: str) -> Path:
        """The finished film. Raises NotFound."""
        path = await asyncio.to_thread(self._results.image, video_id, name)
        if path is None:
            raise NotFound(f"there is no film {name!r} of {video_id!r}, or it has expired")
        return path

    async def remove(self, video_id: str) -> None:
        """Delete it; cancel it if it is made in this process."""
        if task := self._running.get(video_id):
            task.cancel()
            await asyncio.wait({task})
        await asyncio.to_thread(self._results.remove, video_id)

    async def _make(self, record: VideoRecord, it: Assignment, lock: CaptureLock, slot: ExitStack) -> None:
        """Make the film and store its end; its slot and its folder are free in the end."""

        def report(progress: VideoProgress) -> None:
            self._progress[record.result_id] = progress
            if not self._results.exists(record.result_id):  # another process has deleted it
                self._running[record.result_id].cancel()

        try:
            with slot:
                await self._complete(record, it, VideoRun(self._server, self._worker, report))
        except asyncio.CancelledError:
            await self._fail(record, interrupted())
        finally:
            self._running.pop(record.result_id, None)
            self._progress.pop(record.result_id, None)
            lock.release()
            self._background.task("film's end", self._close(it.folder))

    async def _close(self, folder: Path) -> None:
        """Let the worker close what it has open of a film that failed or was cancelled."""
        with suppress(ProxyError):  # a worker that is away has nothing open
            await self._worker.run(film.end, folder)

    async def _complete(self, record: VideoRecord, it: Assignment, run: VideoRun) -> None:
        try:
            async with asyncio.timeout(self._settings.video_timeout_s):
                made = await run.make(it)
            done = record.model_copy(
                update={"frames": len(made.answers), "dressed": made.dressed, "seconds": made.times[-1]}
            )
            done.succeed([made.report()])
            await asyncio.to_thread(self._results.move_in, done, it.output, done.film)
            await asyncio.to_thread(self._results.save, done)
        except FileNotFoundError:  # it was deleted meanwhile
            return
        except TimeoutError:
            late = DeadlineExceeded("the film took longer than allowed; send a shorter one")
            await self._fail(record, late)
        except ProxyError as error:
            log_error(error)
            await self._fail(record, error)
        except Exception as error:
            await self._fail(record, internal_error(error))

    async def _fail(self, record: VideoRecord, error: ProxyError) -> None:
        record.fail(error)
        with suppress(ProxyError, FileNotFoundError):
            await asyncio.to_thread(self._results.save, record)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweeps expired films; on exit, films that are made are interrupted."""
        sweeper = self._background.loop("films sweep", self._sweep)
        try:
            yield
        finally:
            await end_tasks(lambda: {sweeper, *self._running.values()})

    async def _sweep(self) -> None:
        while True:
            await asyncio.to_thread(self._results.sweep)
            await asyncio.sleep(SWEEP_EVERY_S)
