"""The jobs of queued captures, with the clients' pictures. They lie beside the results: in Redis they filled
its memory, and then nobody's captures and rate limits worked.

    <results>/<result id>/jobs.msgpack   until the capture has ended
"""

import asyncio
from contextlib import suppress

from redis.asyncio import Redis

from frontend_proxy.captures import payload
from frontend_proxy.captures.image_store import JOBS, ImageStore
from frontend_proxy.captures.quota import Quota
from frontend_proxy.captures.redis_client import key_of, redis_errors
from frontend_proxy.errors import InferenceFailed, StorageUnavailable
from frontend_proxy.jobs import Job


class Payloads:
    """quota: None for a bucket. Methods raise StorageUnavailable, but for `delete`."""

    def __init__(self, redis: Redis, images: ImageStore, quota: Quota | None) -> None:
        self._redis, self._images, self._quota = redis, images, quota

    async def write(self, result_id: str, jobs: list[Job]) -> None:
        """Raises InsufficientStorage."""
        if self._quota:
            await asyncio.to_thread(self._quota.check)
        packed = payload.pack(jobs)
        await self._images.write(result_id, JOBS, packed)
        if self._quota:
            self._quota.add(len(packed))

    async def read(self, result_id: str) -> list[Job]:
        """Raises InferenceFailed if they are gone or cannot be read."""
        packed = await self._images.read(result_id, JOBS)
        if packed is None:  # until the next release: where proxies before version 6 put them
            with redis_errors():
                packed = await self._redis.get(key_of("jobs", result_id))
        try:
            return payload.unpack(packed or b"")
        except payload.UnreadablePayload as error:
            raise InferenceFailed(
                "the server could not read this capture from its queue; send it again"
            ) from error

    async def delete(self, result_id: str) -> None:
        """What cannot be deleted now, the sweep of the results deletes later."""
        with suppress(StorageUnavailable):
            await self._images.delete(result_id, JOBS)
