"""`/v1/run` and `/v1/status/{id}`: captures in the manner of FASHN's public API."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from frontend_proxy.captures import answers
from frontend_proxy.captures.callers import owner_of
from frontend_proxy.captures.limits import check_capture
from frontend_proxy.captures.record import Record, no_such_capture
from frontend_proxy.captures.routes import accept_capture, check_room
from frontend_proxy.captures.service import CaptureService
from frontend_proxy.errors import InvalidInput
from frontend_proxy.fashn.fetched_pictures import FetchedPictures
from frontend_proxy.fashn.messages import (
    GARMENTS,
    FashnAccepted,
    FashnRun,
    FashnStatus,
    error_of,
    error_of_fallback,
)
from frontend_proxy.image_text import to_data_uri
from frontend_proxy.job_factory import JobFactory
from frontend_proxy.parsing import run_in_thread_if_large
from frontend_proxy.schemas import Capture, validate
from frontend_proxy.settings import Settings
from frontend_proxy.web.answers import private_json
from frontend_proxy.web.body import read_object
from frontend_proxy.web.request_bytes import HOLD

# The status is asked for by the id alone, which therefore says how the pictures are to be sent.
_IN_BASE64 = "base64-"


class FashnRoutes:
    """`base_url` returns the base of the URLs in a request's answer."""

    def __init__(
        self,
        settings: Settings,
        jobs: JobFactory,
        captures: CaptureService,
        base_url: Callable[[Request], str],
    ) -> None:
        self._settings, self._jobs, self._captures, self._base_url = settings, jobs, captures, base_url
        self._pictures = FetchedPictures(settings)

    async def run(self, request: Request) -> Response:
        """Accepts a `FashnRun` and answers a `FashnAccepted`.

        Raises what a capture raises that nobody waits for.
        """
        run = await self._read(request)
        await check_room(request, self._captures)  # before pictures are fetched
        hold = request.scope[HOLD]()  # until this call ends, as the body's
        pictures = {name: await self._pictures.get(name, text, hold) for name, text in run.pictures().items()}
        fields = {**pictures, **run.options(self._settings.max_steps)}
        size = sum(map(len, pictures.values()))
        capture = await run_in_thread_if_large(size, validate, Capture, fields)
        check_capture(capture, self._settings)
        if capture.webhook_url is not None:
            await self._captures.deliveries.check(capture.webhook_url)
        job = await self._jobs.capture(capture)
        base_url = self._base_url(request)
        accepted = await accept_capture(request, capture, job, self._captures, base_url, detached=True)
        record = accepted if isinstance(accepted, Record) else accepted.record
        prefix = _IN_BASE64 if run.inputs.return_base64 else ""
        return private_json(FashnAccepted(id=prefix + record.result_id))

    async def status(self, request: Request) -> Response:
        """`GET /v1/status/{id}`: a `FashnStatus`. Raises NotFound."""
        name = request.path_params["id"]
        record = await self._captures.find(name.removeprefix(_IN_BASE64))
        if not record.belongs_to(owner_of(request)):
            raise no_such_capture(name)
        return private_json(await self._status(name, record))

    async def _status(self, name: str, record: Record) -> FashnStatus:
        if record.failure is not None:
            return FashnStatus(id=name, status="failed", error=error_of(record.failure))
        if record.state == "running":
            begun = await self._captures.progress(record.result_id) is not None
            return FashnStatus(id=name, status="processing" if begun else "in_queue")
        report = record.reports[0]
        if report.mode == "fallback":
            error = error_of_fallback(report.mode_reason, report.detail)
            return FashnStatus(id=name, status="failed", error=error)
        return FashnStatus(id=name, status="completed", output=await self._output(name, record))

    async def _output(self, name: str, record: Record) -> list[str]:
        if not name.startswith(_IN_BASE64):
            return [image.url for image in answers.images(record)]
        found = []
        for sample in range(len(record.reports)):
            image = await self._captures.image(record.result_id, f"{sample}.{record.output_format}")
            if image is None:
                raise no_such_capture(record.result_id)
            media_type = f"image/{record.output_format}"
            found.append(await asyncio.to_thread(to_data_uri, image, media_type))
        return found

    async def _read(self, request: Request) -> FashnRun:
        body = await read_object(request, self._settings.max_message_bytes)
        model = body.get("model_name")
        if not isinstance(model, str) or model not in GARMENTS:
            raise InvalidInput(f"model_name: this server has {', '.join(GARMENTS)}, not {str(model)[:100]!r}")
        if (url := request.query_params.get("webhook_url")) is not None:
            body["webhook_url"] = url
        return await run_in_thread_if_large(2**22, validate, FashnRun, body)
