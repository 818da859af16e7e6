"""A keyframe's answer: the model's in time, else the plain composite, and why."""

import logging
import time

from frontend_proxy.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    ModelUnavailable,
    Overloaded,
    ProxyError,
    UndecodableImage,
)
from frontend_proxy.fallback import composite
from frontend_proxy.images import read_header
from frontend_proxy.job_factory import JobFactory
from frontend_proxy.jobs import ModelServer, run_to_result
from frontend_proxy.limit import Limit
from frontend_proxy.request_id import current_request_id
from frontend_proxy.schemas import Keyframe, KeyframeResult
from frontend_proxy.settings import Settings
from frontend_proxy.worker import Worker

logger = logging.getLogger(__name__)

FALLBACK_REASONS: dict[type[ProxyError], str] = {
    ModelUnavailable: "model_unavailable",
    DeadlineExceeded: "deadline",
    Overloaded: "overloaded",
}


class Keyframes:
    """Shared by all connections, so that `Settings.max_keyframes` bounds them together."""

    def __init__(self, settings: Settings, server: ModelServer, jobs: JobFactory, worker: Worker) -> None:
        self._settings = settings
        self._server = server
        self._jobs = jobs
        self._worker = worker
        self._limit = Limit(settings.max_keyframes, "keyframes")

    async def answer(self, keyframe: Keyframe, seed: int, arrived: float) -> KeyframeResult:
        """`seed` is the session's; `arrived` is when the keyframe came, by `time.monotonic`.

        Raises InvalidInput, UndecodableImage or ImageTooLarge for a bad keyframe, InferenceFailed when the
        pipeline failed on it. When the model cannot answer in time, the answer is the plain composite.
        """
        limits = (self._settings.max_image_bytes, self._settings.max_image_pixels)
        frame_format = read_header(keyframe.camera_frame, "camera_frame", *limits).format
        if keyframe.jacket_render is None:
            return await self._plain(keyframe, None, frame_format, arrived, "no_garment")
        try:
            read_header(keyframe.jacket_render, "jacket_render", *limits)
        except (UndecodableImage, ImageTooLarge) as error:
            return await self._plain(keyframe, None, frame_format, arrived, "no_garment", str(error))

        job = self._jobs.keyframe(keyframe, keyframe.jacket_render, seed)
        try:
            with self._limit:
                time_left = arrived + self._settings.keyframe_timeout_s - time.monotonic()
                result = await run_to_result(self._server, job, time_left)
        except tuple(FALLBACK_REASONS) as error:
            reason = FALLBACK_REASONS[type(error)]
            return await self._plain(
                keyframe, keyframe.jacket_render, frame_format, arrived, reason, str(error)
            )
        return KeyframeResult(
            **result.report.model_dump(),
            image=result.image,
            timestamp=keyframe.timestamp,
            request_id=job.request_id,
        )

    async def _plain(
        self,
        keyframe: Keyframe,
        jacket_render: bytes | None,
        frame_format: str,
        arrived: float,
        reason: str,
        detail: str | None = None,
    ) -> KeyframeResult:
        if jacket_render is None and frame_format == "JPEG":
            image = keyframe.camera_frame
        else:
            image = await self._composite(keyframe.camera_frame, jacket_render, frame_format)
        logger.info("fallback: %s", reason)
        return KeyframeResult(
            mode="fallback",
            mode_reason=reason,
            detail=detail,
            image=image,
            timestamp=keyframe.timestamp,
            latency_ms={"total": round((time.monotonic() - arrived) * 1000, 1)},
            request_id=current_request_id(),
        )

    async def _composite(self, camera_frame: bytes, jacket_render: bytes | None, frame_format: str) -> bytes:
        try:
            return await self._worker.run(composite, camera_frame, jacket_render)
        except ValueError as error:
            raise UndecodableImage(str(error)) from error
        except ProxyError as error:
            if frame_format != "JPEG":
                raise
            logger.warning("no composite (%s); the frame itself goes out", error)
            return camera_frame
