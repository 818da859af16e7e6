"""The states of the captures that several proxies share, in Redis.

{lucy}:record:ID     a capture's `Record`; {lucy}:news:ID tells when it has changed
{lucy}:progress:ID   its progress; also published on {lucy}:news:ID
"""

from collections.abc import AsyncGenerator
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis

from frontend_proxy.answer_schemas import CaptureProgress
from frontend_proxy.captures.record import Record
from frontend_proxy.captures.redis_client import key_of, redis_errors
from frontend_proxy.errors import StorageUnavailable

NEWS_S = 1.0  # at least so often `news` has something to say

Model = TypeVar("Model", bound=BaseModel)


class CaptureRecords:
    """Every method raises StorageUnavailable if Redis is away for some seconds."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def save(self, record: Record) -> None:
        """Raises FileNotFoundError if the capture was removed."""
        name = key_of("record", record.result_id)
        with redis_errors():
            if not await self._redis.set(name, record.model_dump_json(), xx=True, keepttl=True):
                raise FileNotFoundError(name)
            await self._redis.publish(key_of("news", record.result_id), "")

    async def load(self, result_id: str) -> Record | None:
        with redis_errors():
            document = await self._redis.get(key_of("record", result_id))
        if document is None:
            return None
        record = parse(Record, document)
        if record is None:  # a newer proxy wrote it, which may be the next one that is asked
            raise StorageUnavailable("the state of this capture cannot be read; try again in a moment")
        return record

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


def parse(model: type[Model], document: bytes | str) -> Model | None:
    """None for a document that this version cannot read."""
    try:
        return model.model_validate_json(document)
    except ValidationError:
        return None
