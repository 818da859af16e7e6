"""The synchronous client."""

import itertools
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

import httpx

from lucy_client import calls, models
from lucy_client.calls import Call, CaptureResult
from lucy_client.events import CaptureEvents, Progress
from lucy_client.keyframes import KeyframeSession
from lucy_client.pictures import Picture
from lucy_client.retries import Retries
from lucy_client.transport import (
    POLL_S,
    TIMEOUT_S,
    headers_of,
    refusal,
    request_of,
    socket_url,
    unreachable,
)

T = TypeVar("T")


class Lucy:
    """A server. key: an API key or token, if it needs one. All methods raise LucyError.

    Answers have the fields of the server's `/openapi.json`. Pictures are bytes, paths or data URIs.
    """

    def __init__(
        self,
        base_url: str = "http://localhost:5000",
        key: str | None = None,
        *,
        retries: Retries | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base_url, self._key = base_url, key
        self._retries, self._timeout_s = retries or Retries(), timeout_s
        self._http = httpx.Client(
            base_url=base_url, headers=headers_of(key), timeout=timeout_s, transport=transport
        )

    def health(self) -> models.HealthReport:
        return self._send(calls.health())

    def capture(
        self,
        user_image: Picture,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> CaptureResult:
        """A premium capture. options: `jacket_render`, `garment_image` or `garments` (dicts),
        and all others of docs/api.md."""
        call = calls.capture(user_image, idempotency_key, options)
        return self._send(call) if on_progress is None else self._follow(call, on_progress)

    def submit(
        self, user_image: Picture, *, idempotency_key: str | None = None, **options: Any
    ) -> models.CaptureStatus:
        """The same without waiting: ask `capture_status` for its end."""
        return self._send(calls.submission(calls.capture(user_image, idempotency_key, options)))

    def capture_status(self, result_id: str) -> models.CaptureStatus:
        return self._send(calls.capture_status(result_id))

    def delete_capture(self, result_id: str) -> None:
        self._send(calls.delete_capture(result_id))

    def scan(self, image: Picture, **options: Any) -> models.ScanResult:
        """A photo of a fabric to PBR textures. options: `save`, `name`, `image_flash`, `size`, …"""
        return self._send(calls.scan(image, options))

    def fabrics(self, *, tag: str | None = None, text: str | None = None) -> list[models.FabricEntry]:
        return self._send(calls.fabrics(tag, text))

    def fabric(self, fabric_id: str) -> models.FabricEntry:
        return self._send(calls.fabric(fabric_id))

    def replace_fabric(self, entry: models.FabricEntry) -> models.FabricEntry:
        """Store a changed description; id and textures stay."""
        return self._send(calls.replace_fabric(entry))

    def delete_fabric(self, fabric_id: str) -> None:
        self._send(calls.delete_fabric(fabric_id))

    def batch(
        self,
        captures: Iterable[dict[str, Any]],
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.BatchStatus:
        """Many captures, each a dict of `capture`'s arguments and, by choice, a `custom_id`. A picture that
        several of them show is sent once."""
        return self._send(calls.batch(list(captures), webhook_url, idempotency_key))

    def batch_status(self, batch_id: str) -> models.BatchStatus:
        return self._send(calls.batch_status(batch_id))

    def wait_for_batch(
        self, batch_id: str, on_progress: Callable[[models.BatchCounts], None] = lambda counts: None
    ) -> models.BatchStatus:
        """Returns when it has ended. on_progress: called now and then."""
        while True:
            status = self.batch_status(batch_id)
            on_progress(status.counts)
            if calls.has_ended(status):
                return status
            time.sleep(POLL_S)

    def batch_results(self, batch_id: str) -> list[models.BatchLine]:
        """Of the captures that have ended so far."""
        return self._send(calls.batch_results(batch_id))

    def cancel_batch(self, batch_id: str) -> models.BatchStatus:
        return self._send(calls.cancel_batch(batch_id))

    def delete_batch(self, batch_id: str) -> None:
        self._send(calls.delete_batch(batch_id))

    def download(self, url: str) -> bytes:
        """A picture of an answer's `images`, or a fabric's texture."""
        return self._send(Call("GET", url, bytes))

    def keyframes(self) -> KeyframeSession:
        """A live session, in a `with` block."""
        url, headers = socket_url(self._base_url), headers_of(self._key)
        return KeyframeSession(url, headers, self._retries, self._timeout_s)

    def _send(self, call: Call[T]) -> T:
        for attempt in itertools.count():
            try:
                response = self._http.request(**request_of(call))
                if response.is_success:
                    return call.answer(response.content)
                error = refusal(response)
            except httpx.TransportError as broken:
                error = unreachable(broken)
            time.sleep(self._retries.pause(attempt, error, call.repeatable))
        raise AssertionError("unreachable")

    def _follow(self, call: Call[CaptureResult], on_progress: Callable[[Progress], None]) -> CaptureResult:
        asked = request_of(call.with_header("Accept", "text/event-stream"))
        for attempt in itertools.count():
            try:
                with self._http.stream(**asked) as response:
                    if response.is_success:
                        events = CaptureEvents(on_progress)
                        for line in response.iter_lines():
                            events.feed(line)
                        return events.end()
                    response.read()
                    error = refusal(response)
            except httpx.TransportError as broken:
                error = unreachable(broken)
            time.sleep(self._retries.pause(attempt, error, call.repeatable))
        raise AssertionError("unreachable")

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Lucy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
