"""Answer a keyframe: with the model's picture if it is ready in time, else with the plain composite."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any

import numpy as np

from frontend_proxy.answer_schemas import KeyframeAnswer, KeyframeLight, KeyframeResult, Report
from frontend_proxy.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    ModelUnavailable,
    Overloaded,
    ProxyError,
    UndecodableImage,
)
from frontend_proxy.garments import pictures_of, renders_of
from frontend_proxy.images import read_header
from frontend_proxy.job_factory import JobFactory
from frontend_proxy.jobs import Job, ModelServer, Result, latency_ms, run_to_result
from frontend_proxy.keyframes.admission import Admission
from frontend_proxy.keyframes.connection_state import ConnectionState
from frontend_proxy.keyframes.degradation import fewer_steps
from frontend_proxy.keyframes.fallback import composite
from frontend_proxy.keyframes.similar_frames import Scene
from frontend_proxy.keyframes.thumbnails import NO_RENDER, Thumbnails, frame_thumbnail, render_thumbnail
from frontend_proxy.parsing import run_in_thread_if_large
from frontend_proxy.request_id import current_request_id
from frontend_proxy.schemas import Keyframe
from frontend_proxy.settings import Settings
from frontend_proxy.worker import Worker
from pipeline.pictures.metadata import read_metadata

logger = logging.getLogger(__name__)

FALLBACK_REASONS: dict[type[ProxyError], str] = {
    ModelUnavailable: "model_unavailable",
    DeadlineExceeded: "deadline",
    Overloaded: "overloaded",
}
FALLBACK_S = 0.3  # reserved for drawing the composite, but at most a fifth of the timeout
THUMBNAIL_S = 0.1  # timeout of the comparison with the last scene; after it the model is asked
# Fields of a job that are not the client's choices but the scene.
SCENE_FIELDS = ("request_id", "camera_frame", "jacket_render", "garments", "pose")


@dataclass(frozen=True)
class Arrival:
    """A keyframe, when it arrived (`time.monotonic`), and its id in logs.

    hold: counts the message's bytes in the server's byte budget until the arrival is dropped.
    """

    keyframe: Keyframe
    at: float
    request_id: str
    hold: object = None


class KeyframeService:
    """Shared by all connections, so that `Settings.max_keyframes` limits their sum."""

    def __init__(self, settings: Settings, server: ModelServer, jobs: JobFactory, worker: Worker) -> None:
        self._settings = settings
        self._server = server
        self._jobs = jobs
        self._worker = worker
        self._admission = Admission(settings.max_keyframes, settings.keyframe_timeout_s)
        # The checkpoint's, known after its first picture and its first light.
        self._default_steps: dict[str, int | None] = {}

    async def answer(self, arrival: Arrival, state: ConnectionState) -> KeyframeAnswer:
        """The answer, within `Settings.keyframe_timeout_s` of the keyframe's arrival.

        Raises InvalidInput, UndecodableImage or ImageTooLarge for a bad keyframe, InferenceFailed if the
        pipeline failed on it. If the model cannot answer in time, the answer is the plain composite.
        """
        keyframe = arrival.keyframe
        limits = (self._settings.max_image_bytes, self._settings.max_image_pixels)
        frame_format = read_header(keyframe.camera_frame, "camera_frame", *limits).format
        render, problem = keyframe.jacket_render, None
        try:
            if render is not None:
                read_header(render, "jacket_render", *limits)
        except (UndecodableImage, ImageTooLarge) as error:
            render, problem = None, str(error)
        if render is None and keyframe.garment_image is None and not keyframe.garments:
            return await self._fall_back(arrival, frame_format, [], "no_garment", problem)
        own = ((name, getattr(keyframe, name)) for name in ("mask", "garment_image"))
        for name, image in (*own, *pictures_of(keyframe.garments)):
            if image is not None:
                read_header(image, name, *limits)

        job = await self._jobs.keyframe(keyframe, render, state.name, state.seed)
        renders = [render] if render is not None else renders_of(job.garments)
        photos = (job.garment_image, *(garment.garment_image for garment in job.garments))
        size = sum(len(picture or b"") for picture in (job.mask, *photos))
        scene = await run_in_thread_if_large(size, _scene, job, keyframe.fabric_id)
        frame = await self._thumbnail(frame_thumbnail, state.cache.may_match(scene), job.camera_frame)
        # The render's thumbnail takes long. If the frame has changed, the model is asked in the meantime.
        drawn = asyncio.create_task(self._render_thumbnail(renders, frame is not None))
        try:
            if frame is not None and state.cache.frame_matches(frame):
                scene = _with_thumbnails(scene, frame, await drawn)
                if cached := state.cache.get(scene, time.monotonic()):
                    latency = latency_ms({}, time.monotonic() - arrival.at)
                    return cached.model_copy(
                        update=_identity(arrival) | {"latency_ms": latency, "reused": True}
                    )
            answer = _answer(arrival, await self._ask_model(job, arrival, state.caller))
            if answer.mode == "ai_enhanced" and answer.mode_reason is None:
                state.cache.put(_with_thumbnails(scene, frame, await drawn), answer, time.monotonic())
            return answer
        except tuple(FALLBACK_REASONS) as error:
            reason = FALLBACK_REASONS[type(error)]
            return await self._fall_back(arrival, frame_format, renders, reason, str(error))
        finally:
            drawn.cancel()

    async def _ask_model(self, job: Job, arrival: Arrival, caller: str) -> Result:
        """The model's answer; under load with fewer steps, which the report says."""
        deadline = arrival.at + self._settings.keyframe_timeout_s
        reserve = min(FALLBACK_S, self._settings.keyframe_timeout_s / 5)
        async with self._admission.admitted(caller) as level:
            default = self._default_steps.get(job.output_format)
            if default and arrival.keyframe.steps is None and arrival.keyframe.quality == "low":
                job = replace(job, steps=min(job.steps or default, default))
            steps = job.steps or default
            if steps and level:
                job = replace(job, steps=fewer_steps(steps, level))
            result = await run_to_result(self._server, job, deadline - reserve - time.monotonic())
        report = result.report
        if job.steps is None:
            self._default_steps[job.output_format] = report.steps or steps
        if steps and report.steps is not None and report.steps < steps and report.mode_reason is None:
            report = report.model_copy(update={"mode_reason": "fewer_steps"})
        return replace(result, report=report)

    async def _thumbnail(
        self, thumbnail: Callable[..., np.ndarray], wanted: bool, *images: bytes
    ) -> np.ndarray | None:
        """The images' thumbnail if it is `wanted` and the worker is idle."""
        if not (wanted and self._worker.idle):
            return None
        try:
            async with asyncio.timeout(THUMBNAIL_S):
                return await self._worker.run(thumbnail, *images)
        except (TimeoutError, ValueError, ProxyError):
            return None

    async def _render_thumbnail(self, renders: list[bytes], wanted: bool) -> np.ndarray | None:
        return await self._thumbnail(render_thumbnail, wanted, *renders) if renders else NO_RENDER

    async def _fall_back(
        self,
        arrival: Arrival,
        frame_format: str,
        renders: list[bytes],
        reason: str,
        detail: str | None = None,
    ) -> KeyframeAnswer:
        logger.info("fallback: %s", reason)
        report = Report(mode="fallback", mode_reason=reason, detail=detail)
        image = arrival.keyframe.camera_frame
        if arrival.keyframe.answer == "light":  # such a client draws the composite itself
            return _answer(arrival, Result(b"", report))
        if renders or frame_format != "JPEG" or not read_metadata(image).plain:
            time_left = arrival.at + self._settings.keyframe_timeout_s - time.monotonic()
            try:
                async with asyncio.timeout(time_left if frame_format == "JPEG" else None):
                    image = await self._worker.run(composite, image, *renders)
            except ValueError as error:
                raise UndecodableImage(str(error)) from error
            except (ProxyError, TimeoutError) as error:
                if frame_format != "JPEG":
                    raise
                logger.warning("no composite (%s); the answer is the frame itself", str(error) or "too slow")
        return _answer(arrival, Result(image, report))


def _scene(job: Job, fabric_id: str | None) -> Scene:
    """The scene without its thumbnails. It is kept, so it holds digests of pictures instead of them."""
    values = (getattr(job, option.name) for option in fields(Job) if option.name not in SCENE_FIELDS)
    garments = (
        (it.layer, it.category, it.fabric, it.jacket_render is None, it.garment_image) for it in job.garments
    )
    choices = (
        hashlib.blake2b(value).digest() if isinstance(value, bytes) else value
        for value in (*values, *chain(*garments))
    )
    return Scene((fabric_id, *choices), job.pose)


def _with_thumbnails(scene: Scene, frame: np.ndarray | None, render: np.ndarray | None) -> Scene:
    return scene if frame is None or render is None else replace(scene, thumbnails=Thumbnails(frame, render))


def _answer(arrival: Arrival, result: Result) -> KeyframeAnswer:
    common = {name: getattr(result.report, name) for name in Report.model_fields} | _identity(arrival)
    common["latency_ms"] = latency_ms(result.report.latency_ms, time.monotonic() - arrival.at)
    if result.light is not None:
        return KeyframeLight(**common, **dict(result.light), light=result.image)
    if arrival.keyframe.answer == "light" and result.report.mode == "fallback":
        return KeyframeLight(**common)
    return KeyframeResult(**common, image=result.image)


def _identity(arrival: Arrival) -> dict[str, Any]:
    """What tells the client which keyframe is answered."""
    return {
        "timestamp": arrival.keyframe.timestamp,
        "frame_id": arrival.keyframe.frame_id,
        "request_id": current_request_id(),
    }
