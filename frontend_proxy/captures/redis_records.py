"""The states of the captures that several proxies share, in Redis.

{lucy}:record:ID     a capture's `Record`; {lucy}:news:ID tells when it has changed
{lucy}:progress:ID   its progress; also published on {lucy}:news:ID
"""

from collections.abc import AsyncGenerator, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis

from frontend_proxy.answer_schemas import CaptureProgress
from frontend_proxy.captures.record import Record
from frontend_proxy.captures.redis_client import key_of, redis_errors
from frontend_proxy.errors import StorageUnavailable

NEWS_S = 1.0  # at least so often `news` has something to say

Model = TypeVar("Model", bound=BaseModel)

# What kinds of records are of, for people.
_NAMES = {"record": "capture", "batch": "batch"}


class CaptureRecords:
    """Every method raises StorageUnavailable if Redis is away for some seconds."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def save(self, record: Record) -> None:
        """Raises FileNotFoundError if the capture was removed."""
        await save_record(self._redis, "record", record)
        with redis_errors():
            await self._redis.publish(key_of("news", record.result_id), "")

    async def load(self, result_id: str) -> Record | None:
        return await load_record(self._redis, "record", result_id, Record)

    async def known(self, result_ids: Sequence[str]) -> set[str]:
        """Those of the ids that captures or batches have."""
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for result_id in result_ids:
                    pipeline.exists(key_of("record", result_id), key_of("batch", result_id))
                found = await pipeline.execute()
        return {result_id for result_id, exists in zip(result_ids, found, strict=True) if exists}

    async def progress(self, result_id: str) -> CaptureProgress | None:
        with redis_errors():
            document = await self._redis.get(key_of("progress", result_id))
        return None if document is None else parse(CaptureProgress, document)

    async def remove(self, result_id: str) -> None:
        """The proxy that makes it stops when it renews its lease."""
        with redis_errors():
            await self._redis.delete(*(key_of(kind, result_id) for kind in ("record", "jobs", "progress")))
            await self._redis.publish(key_of("news", result_id), "")

    async def news(self, result_id: str) -> AsyncGenerator[CaptureProgress | None, None]:
        """Progress as it comes; None, at least every `NEWS_S` seconds, when the record may have changed.
        Endless."""
        with redis_errors():
            async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(key_of("news", result_id))
                yield None
                while True:
                    message = await subscription.get_message(timeout=NEWS_S)
                    news = message["data"] if message else b""
                    yield parse(CaptureProgress, news) if news else None


async def save_record(redis: Redis, kind: str, record: Record) -> None:
    """Raises FileNotFoundError if it was removed."""
    name = key_of(kind, record.result_id)
    with redis_errors():
        if not await redis.set(name, record.model_dump_json(), xx=True, keepttl=True):
            raise FileNotFoundError(name)


async def load_record(redis: Redis, kind: str, result_id: str, model: type[Model]) -> Model | None:
    """None if there is none."""
    with redis_errors():
        document = await redis.get(key_of(kind, result_id))
    if document is None:
        return None
    record = parse(model, document)
    if record is None:  # a newer proxy wrote it, which may be the next one that is asked
        raise StorageUnavailable(f"the state of this {_NAMES[kind]} cannot be read; try again in a moment")
    return record


def parse(model: type[Model], document: bytes | str) -> Model | None:
    """None for a document that this version cannot read."""
    try:
        return model.model_validate_json(document)
    except ValidationError:
        return None
