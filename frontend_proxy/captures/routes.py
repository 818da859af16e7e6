"""`/virtual-tryon`: a picture at the model's best, waited for, watched, or fetched later."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from frontend_proxy.captures import answers as capture_answers
from frontend_proxy.captures.idempotency import HEADER, IdempotencyKey
from frontend_proxy.captures.local import Runs
from frontend_proxy.captures.results import Record
from frontend_proxy.captures.run import CaptureRun
from frontend_proxy.errors import Conflict, InvalidInput, NotFound, log_error
from frontend_proxy.images import read_header
from frontend_proxy.job_factory import JobFactory, samples
from frontend_proxy.parsing import beside_the_loop
from frontend_proxy.schemas import Capture, CaptureDeleted
from frontend_proxy.settings import Settings
from frontend_proxy.web.body import read_model
from frontend_proxy.web.events import KEEP_ALIVE, KEEP_ALIVE_S, EventStream, encode, wants_events

PREVIEW_INTERVAL = 5  # steps
_IMAGE_NAME = re.compile(r"[0-3]\.(png|jpeg)")


class Captures:
    """`base_url` is that of a request's URLs."""

    def __init__(
        self, settings: Settings, jobs: JobFactory, runs: Runs, base_url: Callable[[Request], str]
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._runs = runs
        self._base_url = base_url

    async def create(self, request: Request) -> Response:
        """A `Capture` in, as JSON or as a form; out comes what the client asks for:

        - a `CaptureResult`; a client that hangs up cancels its capture;
        - with `Accept: text/event-stream`, events: `progress` and then `result` or `error`; hanging up
          cancels here, too;
        - with `Prefer: respond-async`, 202 and a `CaptureStatus`; `Location` is where to ask again.

        Raises BodyTooLarge, InvalidInput, UndecodableImage, ImageTooLarge, Overloaded, InsufficientStorage,
        KeyReused, Conflict, and what the model server raises.
        """
        capture = await self._read(request)
        events = wants_events(request)
        detached = not events and _prefers_async(request)
        if capture.webhook_url is not None:
            if not detached:
                raise InvalidInput("webhook_url: is for captures that are sent with `Prefer: respond-async`")
            await self._runs.webhooks.check(capture.webhook_url)
        job = await self._jobs.capture(capture, PREVIEW_INTERVAL if events else None)
        accepted = await self._runs.accept(
            samples(job, capture.num_samples),
            self._base_url(request),
            detached,
            capture.webhook_url,
            await _idempotency_key(request, capture),
        )
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
        result_id = request.path_params["id"]
        record = await self._runs.find(result_id)
        progress = await self._runs.progress(result_id)
        image = await self._first_image(record) if record.state == "succeeded" else None
        headers = {"Retry-After": "1"} if record.state == "running" else {}
        size = len(image or b"")
        return await _json(size, lambda: capture_answers.status(record, progress, image), headers=headers)

    async def delete(self, request: Request) -> Response:
        """`DELETE /virtual-tryon/{id}`: cancel it if it runs, and forget it. Raises NotFound."""
        result_id = request.path_params["id"]
        await self._runs.remove(result_id)
        return await _json(0, lambda: CaptureDeleted(result_id=result_id))

    async def image(self, request: Request) -> Response:
        """`GET /results/{id}/{name}`: a sample of a capture that succeeded. Raises NotFound."""
        result_id, name = request.path_params["id"], request.path_params["name"]
        if not _IMAGE_NAME.fullmatch(name):
            raise NotFound(f"there is no image {name!r}")
        image = await self._read_image(result_id, name)
        media_type = f"image/{name.partition('.')[2]}"
        return Response(image, headers={"Cache-Control": "private, no-store"}, media_type=media_type)

    async def _read(self, request: Request) -> Capture:
        max_files_bytes = 2 * self._settings.max_image_bytes
        capture = await read_model(
            request, Capture, self._settings.max_message_bytes, max_files_bytes, max_files=2
        )
        limits = (self._settings.max_image_bytes, self._settings.max_image_pixels)
        read_header(capture.user_image, "user_image", *limits)
        read_header(capture.jacket_render, "jacket_render", *limits)
        if capture.num_samples > self._settings.max_captures:
            raise InvalidInput(
                f"num_samples: this server makes at most {self._settings.max_captures} at once"
            )
        return capture

    async def _repeat(self, record: Record, events: bool) -> Response:
        """The answer to a request whose Idempotency-Key stands for a capture already."""
        if record.state == "running":
            raise Conflict("the request with this Idempotency-Key is being answered; try again in a moment")
        image = await self._first_image(record)
        if not events:
            return await _json(len(image), lambda: capture_answers.result(record, image))

        async def only_result() -> AsyncIterator[bytes]:
            yield await _result_event(record, image)

        return EventStream(only_result(), lambda: None)

    async def _first_image(self, record: Record) -> bytes:
        return await self._read_image(record.result_id, f"0.{record.output_format}")

    async def _read_image(self, result_id: str, name: str) -> bytes:
        image = await self._runs.image(result_id, name)
        if image is not None:
            return image
        raise NotFound(f"there is no image {name!r} of capture {result_id!r}, or no longer")


async def _answer_while_connected(request: Request, run: CaptureRun) -> Response:
    assert run.task is not None
    leaving = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({run.task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not run.task.done():
            raise ClientDisconnect
    finally:
        run.cancel()
        leaving.cancel()
        await asyncio.gather(run.task, leaving, return_exceptions=True)
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
    return await beside_the_loop(len(image), lambda: encode("result", capture_answers.result(record, image)))


def _prefers_async(request: Request) -> bool:
    """RFC 7240, section 4.1."""
    preferences = ",".join(request.headers.getlist("Prefer")).lower().split(",")
    return any(entry.partition(";")[0].strip() == "respond-async" for entry in preferences)


async def _idempotency_key(request: Request, capture: Capture) -> IdempotencyKey | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    fingerprint = await asyncio.to_thread(_fingerprint, capture)
    return IdempotencyKey.of(key, request.scope.get("client_name", ""), fingerprint)


def _fingerprint(capture: Capture) -> str:
    """Of what was sent, however it was written down: a form's boundary differs each time."""
    fields = capture.model_dump_json(exclude={"user_image", "jacket_render"}).encode()
    parts = (capture.user_image, capture.jacket_render, fields)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


async def _json(
    size: int, answer: Callable[[], BaseModel], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """`size`: bytes of the picture that `answer()` holds."""
    body = await beside_the_loop(size, lambda: answer().model_dump_json().encode())
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")
