"""The asynchronous client."""

import asyncio
import itertools
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

import httpx

from lucy_client import calls, models
from lucy_client.calls import Call, CaptureResult
from lucy_client.events import CaptureEvents, Progress
from lucy_client.keyframes import AsyncKeyframeSession
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


class AsyncLucy:
    """As `Lucy`, whose methods say more."""

    def __init__(
        self,
        base_url: str = "http://localhost:5000",
        key: str | None = None,
        *,
        retries: Retries | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url, self._key = base_url, key
        self._retries, self._timeout_s = retries or Retries(), timeout_s
        self._http = httpx.AsyncClient(
            base_url=base_url, headers=headers_of(key), timeout=timeout_s, transport=transport
        )

    async def health(self) -> models.HealthReport:
        return await self._send(calls.health())

    async def capture(
        self,
        user_image: Picture,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> CaptureResult:
        call = calls.capture(user_image, idempotency_key, options)
        return await self._send(call) if on_progress is None else await self._follow(call, on_progress)

    async def submit(
        self, user_image: Picture, *, idempotency_key: str | None = None, **options: Any
    ) -> models.CaptureStatus:
        return await self._send(calls.submission(calls.capture(user_image, idempotency_key, options)))

    async def capture_status(self, result_id: str) -> models.CaptureStatus:
        return await self._send(calls.capture_status(result_id))

    async def delete_capture(self, result_id: str) -> None:
        await self._send(calls.delete_capture(result_id))

    async def scan(self, image: Picture, **options: Any) -> models.ScanResult:
        return await self._send(calls.scan(image, options))

    async def fabrics(self, *, tag: str | None = None, text: str | None = None) -> list[models.FabricEntry]:
        return await self._send(calls.fabrics(tag, text))

    async def fabric(self, fabric_id: str) -> models.FabricEntry:
        return await self._send(calls.fabric(fabric_id))

    async def replace_fabric(self, entry: models.FabricEntry) -> models.FabricEntry:
        return await self._send(calls.replace_fabric(entry))

    async def delete_fabric(self, fabric_id: str) -> None:
        await self._send(calls.delete_fabric(fabric_id))

    async def batch(
        self,
        captures: Iterable[dict[str, Any]],
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.BatchStatus:
        return await self._send(calls.batch(list(captures), webhook_url, idempotency_key))

    async def batch_status(self, batch_id: str) -> models.BatchStatus:
        return await self._send(calls.batch_status(batch_id))

    async def wait_for_batch(
        self, batch_id: str, on_progress: Callable[[models.BatchCounts], None] = lambda counts: None
    ) -> models.BatchStatus:
        while True:
            status = await self.batch_status(batch_id)
            on_progress(status.counts)
            if calls.has_ended(status):
                return status
            await asyncio.sleep(POLL_S)

    async def batch_results(self, batch_id: str) -> list[models.BatchLine]:
        return await self._send(calls.batch_results(batch_id))

    async def cancel_batch(self, batch_id: str) -> models.BatchStatus:
        return await self._send(calls.cancel_batch(batch_id))

    async def delete_batch(self, batch_id: str) -> None:
        await self._send(calls.delete_batch(batch_id))

    async def download(self, url: str) -> bytes:
        return await self._send(Call("GET", url, bytes))

    def keyframes(self) -> AsyncKeyframeSession:
        """A live session, in an `async with` block."""
        url, headers = socket_url(self._base_url), headers_of(self._key)
        return AsyncKeyframeSession(url, headers, self._retries, self._timeout_s)

    async def _send(self, call: Call[T]) -> T:
        for attempt in itertools.count():
            try:
                response = await self._http.request(**request_of(call))
                if response.is_success:
                    return call.answer(response.content)
                error = refusal(response)
            except httpx.TransportError as broken:
                error = unreachable(broken)
            await asyncio.sleep(self._retries.pause(attempt, error, call.repeatable))
        raise AssertionError("unreachable")

    async def _follow(
        self, call: Call[CaptureResult], on_progress: Callable[[Progress], None]
    ) -> CaptureResult:
        asked = request_of(call.with_header("Accept", "text/event-stream"))
        for attempt in itertools.count():
            try:
                async with self._http.stream(**asked) as response:
                    if response.is_success:
                        events = CaptureEvents(on_progress)
                        async for line in response.aiter_lines():
                            events.feed(line)
                        return events.end()
                    await response.aread()
                    error = refusal(response)
            except httpx.TransportError as broken:
                error = unreachable(broken)
            await asyncio.sleep(self._retries.pause(attempt, error, call.repeatable))
        raise AssertionError("unreachable")

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> "AsyncLucy":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
