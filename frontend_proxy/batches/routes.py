"""`/api/batches`: many captures in one request, made while nobody waits."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from frontend_proxy.batches.record import BatchDeleted, BatchRecord
from frontend_proxy.batches.request import accepted, pack, read_batch
from frontend_proxy.batches.service import BatchService
from frontend_proxy.captures.callers import client_of, owner_of
from frontend_proxy.captures.idempotency import HEADER, IdempotencyKey
from frontend_proxy.errors import NotFound
from frontend_proxy.settings import Settings
from frontend_proxy.web.answers import private_json

JSON_LINES = "application/jsonl"


class BatchRoutes:
    """`base_url` returns the base of the URLs in a request's answer."""

    def __init__(self, settings: Settings, batches: BatchService, base_url: Callable[[Request], str]) -> None:
        self._settings, self._batches, self._base_url = settings, batches, base_url

    async def create(self, request: Request) -> Response:
        """Accepts a `Batch`; answers 202 and a `BatchStatus`; `Location` has its URL.

        Raises BodyTooLarge, UnsupportedMediaType, InvalidInput, Overloaded, InsufficientStorage, KeyReused,
        Conflict, StorageUnavailable.
        """
        batch = await read_batch(request, self._settings.max_batch_bytes)
        if batch.webhook_url is not None:
            await self._batches.check_webhook(batch.webhook_url)
        items, captures = await asyncio.to_thread(accepted, batch, self._settings)
        packed = await asyncio.to_thread(pack, captures)
        record = BatchRecord.of(
            items,
            self._base_url(request),
            self._settings.batch_lifetime_s,
            self._settings.results_lifetime_s,
            owner_of(request),
            batch.webhook_url,
        )
        record = await self._batches.accept(record, packed, await _key(request, packed))
        return _json(record, 202, {"Location": record.url})

    async def show(self, request: Request) -> Response:
        """`GET /api/batches/{id}`: its `BatchStatus`. Raises NotFound."""
        record, cancelling = await self._find_own(request)
        headers = {"Retry-After": "1"} if record.state == "running" else {}
        return _json(record, headers=headers, cancelling=cancelling)

    async def results(self, request: Request) -> Response:
        """`GET /api/batches/{id}/results`: a `BatchLine` for each capture that has ended. Raises NotFound."""
        record, _ = await self._find_own(request)

        async def lines() -> AsyncIterator[bytes]:
            async for line in self._batches.lines(record):
                yield line.model_dump_json().encode() + b"\n"

        return StreamingResponse(lines(), headers={"Cache-Control": "no-store"}, media_type=JSON_LINES)

    async def cancel(self, request: Request) -> Response:
        """`POST /api/batches/{id}/cancel`: make no more of it; what is done stays. Raises NotFound."""
        record, _ = await self._find_own(request)
        await self._batches.cancel(record)
        return _json(record, cancelling=True)

    async def delete(self, request: Request) -> Response:
        """`DELETE /api/batches/{id}`: cancel it, and delete it with its results. Raises NotFound."""
        record, _ = await self._find_own(request)
        await self._batches.remove(record)
        return private_json(BatchDeleted(batch_id=record.result_id))

    async def _find_own(self, request: Request) -> tuple[BatchRecord, bool]:
        """The batch of this request's path. Raises NotFound, also if it belongs to another credential."""
        batch_id = request.path_params["id"]
        record, cancelling = await self._batches.find(batch_id)
        if not record.belongs_to(owner_of(request)):
            raise NotFound(f"there is no batch {batch_id!r}, or it has expired")
        return record, cancelling


async def _key(request: Request, packed: bytes) -> IdempotencyKey | None:
    """Its keys are not those of captures."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    fingerprint = await asyncio.to_thread(lambda: hashlib.sha256(packed).hexdigest())
    return IdempotencyKey.of(key, f"{client_of(request)}\nbatch", fingerprint)


def _json(
    record: BatchRecord, status: int = 200, headers: dict[str, str] | None = None, cancelling: bool = False
) -> Response:
    return private_json(record.status(cancelling), status, headers)
