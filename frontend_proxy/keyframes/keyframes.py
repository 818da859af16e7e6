"""A keyframe's answer: the model's in time, else the plain composite, and why."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from frontend_proxy.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    ModelUnavailable,
    Overloaded,
    ProxyError,
    UndecodableImage,
)
from frontend_proxy.images import read_header
from frontend_proxy.job_factory import JobFactory, random_seed
from frontend_proxy.jobs import Job, ModelServer, latency_ms, run_to_result
from frontend_proxy.keyframes.admission import Admission
from frontend_proxy.keyframes.degradation import fewer_steps
from frontend_proxy.keyframes.fallback import composite
from frontend_proxy.keyframes.temporal_filter import Scene, TemporalFilter
from frontend_proxy.keyframes.thumbnails import Thumbnails, frame_thumbnail, render_thumbnail
from frontend_proxy.request_id import current_request_id
from frontend_proxy.schemas import Keyframe, KeyframeResult, Report
from frontend_proxy.settings import Settings
from frontend_proxy.worker import Worker

logger = logging.getLogger(__name__)

FALLBACK_REASONS: dict[type[ProxyError], str] = {
    ModelUnavailable: "model_unavailable",
    DeadlineExceeded: "deadline",
    Overloaded: "overloaded",
}
FALLBACK_S = 0.3  # of its time is kept for drawing the composite, but no more than a fifth
LOOK_S = 0.1  # for seeing whether anything has changed; after that the model is asked
# What of a job is the scene and not the client's choice.
SCENE_FIELDS = ("request_id", "camera_frame", "jacket_render", "pose")


@dataclass(frozen=True)
class Arrival:
    """A keyframe, when it came (`time.monotonic`), and its name in logs."""

    keyframe: Keyframe
    at: float
    request_id: str


@dataclass
class Memory:
    """What the keyframes of a connection share: a secret name and the seed, so that the garment does not
    flicker, and the last answer, which holds while nothing changes."""

    name: str = field(default_factory=secrets.token_urlsafe)
    seed: int = field(default_factory=random_seed)
    last: TemporalFilter = field(default_factory=TemporalFilter)


class Keyframes:
    """Shared by all connections, so that `Settings.max_keyframes` bounds them together."""

    def __init__(self, settings: Settings, server: ModelServer, jobs: JobFactory, worker: Worker) -> None:
        self._settings = settings
        self._server = server
        self._jobs = jobs
        self._worker = worker
        self._admission = Admission(settings.max_keyframes, settings.keyframe_timeout_s)
        self._usual_steps: int | None = None  # the checkpoint's own, known from its first answer

    async def answer(self, arrival: Arrival, memory: Memory) -> KeyframeResult:
        """Within `Settings.keyframe_timeout_s` of its arrival.

        Raises InvalidInput, UndecodableImage or ImageTooLarge for a bad keyframe, InferenceFailed when the
        pipeline failed on it. When the model cannot answer in time, the answer is the plain composite.
        """
        keyframe = arrival.keyframe
        limits = (self._settings.max_image_bytes, self._settings.max_image_pixels)
        frame_format = read_header(keyframe.camera_frame, "camera_frame", *limits).format
        if keyframe.jacket_render is None:
            return await self._fall_back(arrival, frame_format, None, "no_garment")
        try:
            read_header(keyframe.jacket_render, "jacket_render", *limits)
        except (UndecodableImage, ImageTooLarge) as error:
            return await self._fall_back(arrival, frame_format, None, "no_garment", str(error))

        if keyframe.mask is not None:
            read_header(keyframe.mask, "mask", *limits)

        job = await self._jobs.keyframe(keyframe, keyframe.jacket_render, memory.name, memory.seed)
        scene = _scene(job, keyframe.fabric_id)
        frame = await self._look(frame_thumbnail, job.camera_frame, memory.last.may_hold(scene))
        # The render takes long to look at. Where the frame has changed the model is asked meanwhile.
        looking = asyncio.create_task(self._look(render_thumbnail, job.jacket_render, frame is not None))
        try:
            if frame is not None and memory.last.frame_may_hold(frame):
                scene = _looked_at(scene, frame, await looking)
                if held := memory.last.answer(scene, time.monotonic()):
                    told = held.model_copy(update={"latency_ms": {}})
                    return _result(arrival, told, held.image, reused=True)
            report, image = await self._ask(job, arrival)
            answer = _result(arrival, report, image)
            if report.mode == "ai_enhanced" and report.mode_reason is None:
                memory.last.remember(_looked_at(scene, frame, await looking), answer, time.monotonic())
            return answer
        except tuple(FALLBACK_REASONS) as error:
            reason = FALLBACK_REASONS[type(error)]
            return await self._fall_back(arrival, frame_format, keyframe.jacket_render, reason, str(error))
        finally:
            looking.cancel()

    async def _ask(self, job: Job, arrival: Arrival) -> tuple[Report, bytes]:
        """The model's answer; under load with fewer steps, and it says so."""
        deadline = arrival.at + self._settings.keyframe_timeout_s
        reserve = min(FALLBACK_S, self._settings.keyframe_timeout_s / 5)
        with self._admission.admitted() as level:
            steps = job.steps or self._usual_steps
            if steps and level:
                job = replace(job, steps=fewer_steps(steps, level))
            result = await run_to_result(self._server, job, deadline - reserve - time.monotonic())
        report = result.report
        if job.steps is None:
            self._usual_steps = report.steps or self._usual_steps
        if steps and report.steps and report.steps < steps and report.mode_reason is None:
            report = report.model_copy(update={"mode_reason": "fewer_steps"})
        return report, result.image

    async def _look(
        self, thumbnail: Callable[[bytes], np.ndarray], image: bytes, wanted: bool
    ) -> np.ndarray | None:
        """The image's thumbnail where it is `wanted` and the worker has time for it."""
        if not (wanted and self._worker.idle):
            return None
        try:
            async with asyncio.timeout(LOOK_S):
                return await self._worker.run(thumbnail, image)
        except (TimeoutError, ValueError, ProxyError):
            return None

    async def _fall_back(
        self,
        arrival: Arrival,
        frame_format: str,
        jacket_render: bytes | None,
        reason: str,
        detail: str | None = None,
    ) -> KeyframeResult:
        image = arrival.keyframe.camera_frame
        if jacket_render is not None or frame_format != "JPEG":
            time_left = arrival.at + self._settings.keyframe_timeout_s - time.monotonic()
            try:
                async with asyncio.timeout(time_left if frame_format == "JPEG" else None):
                    image = await self._worker.run(composite, image, jacket_render)
            except ValueError as error:
                raise UndecodableImage(str(error)) from error
            except (ProxyError, TimeoutError) as error:
                if frame_format != "JPEG":
                    raise
                logger.warning("no composite (%s); the frame itself goes out", error or "too slow")
        logger.info("fallback: %s", reason)
        report = Report(mode="fallback", mode_reason=reason)
        return _result(arrival, report, image, detail=detail)


def _scene(job: Job, fabric_id: str | None) -> Scene:
    """As far as can be told without looking at the pictures."""
    choices = tuple(getattr(job, option.name) for option in fields(Job) if option.name not in SCENE_FIELDS)
    return Scene((fabric_id, *choices), job.pose)


def _looked_at(scene: Scene, frame: np.ndarray | None, render: np.ndarray | None) -> Scene:
    return scene if frame is None or render is None else replace(scene, thumbnails=Thumbnails(frame, render))


def _result(arrival: Arrival, report: Report, image: bytes, **fields: Any) -> KeyframeResult:
    told = {name: getattr(report, name) for name in Report.model_fields}
    told["latency_ms"] = latency_ms(report.latency_ms, time.monotonic() - arrival.at)
    return KeyframeResult(
        **told,
        image=image,
        timestamp=arrival.keyframe.timestamp,
        frame_id=arrival.keyframe.frame_id,
        request_id=current_request_id(),
        **fields,
    )
