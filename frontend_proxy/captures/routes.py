"""`/virtual-tryon`: a capture, the model's best image: waited for, streamed, or fetched later."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from frontend_proxy.answer_schemas import CaptureDeleted
from frontend_proxy.captures import answers as capture_answers
from frontend_proxy.captures.callers import client_of, owner_of
from frontend_proxy.captures.idempotency import HEADER, IdempotencyKey
from frontend_proxy.captures.limits import check_capture
from frontend_proxy.captures.record import IMAGE_NAME, Record, no_such_capture
from frontend_proxy.captures.run import CaptureRun
from frontend_proxy.captures.service import CaptureService
from frontend_proxy.errors import Conflict, InvalidInput, NotFound, log_error
from frontend_proxy.garments import PICTURES
from frontend_proxy.job_factory import JobFactory, samples
from frontend_proxy.jobs import Job
from frontend_proxy.parsing import run_in_thread_if_large
from frontend_proxy.schemas import Capture
from frontend_proxy.settings import Settings
from frontend_proxy.web.answers import private_json
from frontend_proxy.web.body import read_model
from frontend_proxy.web.events import KEEP_ALIVE, KEEP_ALIVE_S, EventStream, encode, wants_events

PREVIEW_INTERVAL = 5  # steps
_IMAGE_NAME = re.compile(IMAGE_NAME)


class CaptureRoutes:
    """`base_url` returns the base of the URLs in a request's answer."""

    def __init__(
        self,
        settings: Settings,
        jobs: JobFactory,
        captures: CaptureService,
        base_url: Callable[[Request], str],
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._captures = captures
        self._base_url = base_url

    async def create(self, request: Request) -> Response:
        """Accepts a `Capture`, as JSON or as a form. Answers what the client asks for:

        - a `CaptureResult` or `CaptureLight`; a client that disconnects cancels its capture;
        - with `Accept: text/event-stream`, events: `progress` and then `result` or `error`; disconnecting
          cancels the capture, too;
        - with `Prefer: respond-async`, 202 and a `CaptureStatus`, whose URL is in `Location`.

        Raises BodyTooLarge, UnsupportedMediaType, InvalidInput, UndecodableImage, ImageTooLarge, Overloaded,
        InsufficientStorage, KeyReused, Conflict, StorageUnavailable, and what the model server raises.
        """
        capture = await self._read(request)
        events = wants_events(request)
        detached = not events and _prefers_async(request)
        if capture.webhook_url is not None:
            if not detached:
                raise InvalidInput("webhook_url: is only for captures with `Prefer: respond-async`")
            await self._captures.deliveries.check(capture.webhook_url)
        await check_room(request, self._captures)
        job = await self._jobs.capture(capture, PREVIEW_INTERVAL if events else None)
        base_url = self._base_url(request)
        accepted = await accept_capture(request, capture, job, self._captures, base_url, detached)
        record = accepted if isinstance(accepted, Record) else accepted.record
        if detached:
            headers = {"Location": capture_answers.status_url(record), "Preference-Applied": "respond-async"}
            return await _json(0, lambda: capture_answers.status(record), 202, headers)
        if isinstance(accepted, Record):
            return await self._repeat(accepted, events)
        if events:
            return EventStream(_events(accepted), accepted.cancel)
        return await _answer_while_connected(request, accepted)

    async def show(self, request: Request) -> Response:
        """`GET /virtual-tryon/{id}`: its `CaptureStatus`. Raises NotFound."""
        record = await self._find_own(request)
        progress = await self._captures.progress(record.result_id)
        image = await self._first_image(record) if record.state == "succeeded" else None
        headers = {"Retry-After": "1"} if record.state == "running" else {}
        size = len(image or b"")
        return await _json(size, lambda: capture_answers.status(record, progress, image), headers=headers)

    async def delete(self, request: Request) -> Response:
        """`DELETE /virtual-tryon/{id}`: delete it; cancel it if it runs. Raises NotFound."""
        record = await self._find_own(request)
        await self._captures.remove(record.result_id)
        return await _json(0, lambda: CaptureDeleted(result_id=record.result_id))

    async def image(self, request: Request) -> Response:
        """`GET /results/{id}/{name}`: a sample of a capture that succeeded. Raises NotFound.

        A capability URL: it needs no credentials, since nobody can guess the id.
        """
        result_id, name = request.path_params["id"], request.path_params["name"]
        if not _IMAGE_NAME.fullmatch(name):
            raise NotFound(f"there is no image {name!r}")
        image = await self._read_image(result_id, name)
        media_type = f"image/{name.partition('.')[2]}"
        return Response(image, headers={"Cache-Control": "private, no-store"}, media_type=media_type)

    async def _find_own(self, request: Request) -> Record:
        """The capture of this request's path. Raises NotFound, also if it belongs to another credential."""
        result_id = request.path_params["id"]
        record = await self._captures.find(result_id)
        if not record.belongs_to(owner_of(request)):
            raise no_such_capture(result_id)
        return record

    async def _read(self, request: Request) -> Capture:
        capture = await read_model(request, Capture, self._settings.max_message_bytes)
        check_capture(capture, self._settings)
        return capture

    async def _repeat(self, record: Record, events: bool) -> Response:
        """The answer to a request whose Idempotency-Key belongs to a capture already."""
        if record.state == "running":
            raise Conflict("this Idempotency-Key's first request still runs; try again in a moment")
        image = await self._first_image(record)
        if not events:
            return await _json(len(image), lambda: capture_answers.result(record, image))

        async def only_result() -> AsyncIterator[bytes]:
            yield await _result_event(record, image)

        return EventStream(only_result(), lambda: None)

    async def _first_image(self, record: Record) -> bytes:
        return await self._read_image(record.result_id, record.first_image) if record.first_image else b""

    async def _read_image(self, result_id: str, name: str) -> bytes:
        image = await self._captures.image(result_id, name)
        if image is not None:
            return image
        raise NotFound(f"there is no image {name!r} of capture {result_id!r}, or it has expired")


async def _answer_while_connected(request: Request, run: CaptureRun) -> Response:
    assert run.task is not None
    disconnected = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({run.task, disconnected}, return_when=asyncio.FIRST_COMPLETED)
        if not run.task.done():
            raise ClientDisconnect
    finally:
        run.cancel()
        disconnected.cancel()
        await asyncio.gather(run.task, disconnected, return_exceptions=True)
    if run.error is not None:
        raise run.error
    return await _json(len(run.image), lambda: capture_answers.result(run.record, run.image))


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _events(run: CaptureRun) -> AsyncIterator[bytes]:
    async for progress in run.follow(KEEP_ALIVE_S):
        yield KEEP_ALIVE if progress is None else encode("progress", progress)
    if run.error is None:
        yield await _result_event(run.record, run.image)
    else:
        log_error(run.error)
        assert run.record.failure is not None
        yield encode("error", run.record.failure)


async def _result_event(record: Record, image: bytes) -> bytes:
    return await run_in_thread_if_large(
        len(image), lambda: encode("result", capture_answers.result(record, image))
    )


def _prefers_async(request: Request) -> bool:
    """RFC 7240, section 4.1."""
    preferences = ",".join(request.headers.getlist("Prefer")).lower().split(",")
    return any(entry.partition(";")[0].strip() == "respond-async" for entry in preferences)


async def check_room(request: Request, captures: CaptureService) -> None:
    """Raises Overloaded, StorageUnavailable. A request with an Idempotency-Key may be a repeated one, which
    needs no room: only `accept_capture` knows."""
    if HEADER not in request.headers:
        await captures.check_room()


async def accept_capture(
    request: Request, capture: Capture, job: Job, captures: CaptureService, base_url: str, detached: bool
) -> CaptureRun | Record:
    """The capture of whoever sent the request. Returns and raises what `CaptureService.accept` does."""
    return await captures.accept(
        samples(job, capture.num_samples),
        base_url,
        detached,
        capture.webhook_url,
        await _idempotency_key(request, capture),
        owner_of(request),
    )


async def _idempotency_key(request: Request, capture: Capture) -> IdempotencyKey | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    return IdempotencyKey.of(key, client_of(request), await asyncio.to_thread(fingerprint, capture))


def fingerprint(capture: Capture) -> str:
    """A digest of the values, not of the body: the boundary of a form differs each time.

    That of a request without the newer fields is as older proxies have made and kept it.
    """
    newer = {name: getattr(capture, name) for name in ("garment_image", "mask", "category", "answer")}
    newer["answer"] = None if capture.answer == "picture" else capture.answer
    height = capture.physical_height_mm
    newer["physical_height_mm"] = None if height is None else str(height)
    fields = capture.model_dump_json(exclude={"user_image", "jacket_render", "garments", *newer}).encode()
    parts = [capture.user_image, capture.jacket_render or b"", fields]
    for name, value in newer.items():
        if value is not None:
            parts += [name.encode(), value if isinstance(value, bytes) else value.encode()]
    for place, garment in enumerate(capture.garments or ()):
        choices = garment.model_dump_json(exclude=set(PICTURES))
        parts += [
            f"garment {place} {choices}".encode(),
            *(getattr(garment, name) or b"" for name in PICTURES),
        ]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


async def _json(
    size: int, answer: Callable[[], BaseModel], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """`size`: bytes of the image that `answer()` holds."""
    return await run_in_thread_if_large(size, lambda: private_json(answer(), status, headers))
