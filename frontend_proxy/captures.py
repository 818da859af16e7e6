"""`POST /virtual-tryon`: one picture at the model's best."""

import asyncio
import secrets
from datetime import UTC, datetime

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from frontend_proxy.body import read_object
from frontend_proxy.images import read_header
from frontend_proxy.job_factory import JobFactory
from frontend_proxy.jobs import Job, ModelServer, Result, run_to_result
from frontend_proxy.limit import Limit
from frontend_proxy.schemas import Capture, CaptureResult, validate
from frontend_proxy.settings import Settings


class Captures:
    def __init__(self, settings: Settings, server: ModelServer, jobs: JobFactory) -> None:
        self._settings = settings
        self._server = server
        self._jobs = jobs
        self._limit = Limit(settings.max_captures, "captures")

    async def create(self, request: Request) -> Response:
        """A `Capture` in, a `CaptureResult` out; a client that hangs up cancels its job.

        Raises BodyTooLarge, InvalidInput, UndecodableImage, ImageTooLarge, Overloaded, and what the
        model server raises.
        """
        capture = validate(Capture, await read_object(request, self._settings.max_message_bytes))
        limits = (self._settings.max_image_bytes, self._settings.max_image_pixels)
        read_header(capture.user_image, "user_image", *limits)
        read_header(capture.jacket_render, "jacket_render", *limits)
        job = self._jobs.capture(capture)
        with self._limit:
            result = await self._run_while_connected(request, job)
        answer = CaptureResult(
            **result.report.model_dump(),
            result_image=result.image,
            result_id=secrets.token_urlsafe(16),
            timestamp=datetime.now(UTC).isoformat(timespec="milliseconds"),
            request_id=job.request_id,
        )
        return Response(answer.model_dump_json(), media_type="application/json")

    async def _run_while_connected(self, request: Request, job: Job) -> Result:
        running = asyncio.create_task(run_to_result(self._server, job, self._settings.capture_timeout_s))
        leaving = asyncio.create_task(_disconnect(request))
        try:
            await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                raise ClientDisconnect
            return running.result()
        finally:
            running.cancel()
            leaving.cancel()
            await asyncio.gather(running, leaving, return_exceptions=True)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
