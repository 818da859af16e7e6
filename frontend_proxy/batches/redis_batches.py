"""Batches that several proxies share: records in Redis, requests beside the captures' pictures.

{lucy}:batch:ID          the `BatchRecord`
{lucy}:batches           sorted set: the batches that are not done, by the time of their acceptance
{lucy}:batch-holder:ID   whose place it takes
{lucy}:batch-cancel:ID   it is to be cancelled
{lucy}:batch-lease:ID    who works on it
{lucy}:key:NAME          an Idempotency-Key's `Claim`
"""

import asyncio
import secrets
from contextlib import suppress

from redis.asyncio import Redis

from frontend_proxy.background import Background
from frontend_proxy.batches.record import BatchRecord, webhook_message
from frontend_proxy.batches.store import Lease
from frontend_proxy.captures import redis_client
from frontend_proxy.captures.deliveries import Deliveries, Delivery
from frontend_proxy.captures.idempotency import Claim, IdempotencyKey
from frontend_proxy.captures.image_store import ImageStore
from frontend_proxy.captures.quota import shared_quota
from frontend_proxy.captures.redis_client import PREFIX, key_of, milliseconds_until, redis_errors
from frontend_proxy.captures.redis_deliveries import RedisDeliveries
from frontend_proxy.captures.redis_places import RedisPlaces
from frontend_proxy.captures.redis_records import load_record, parse, save_record
from frontend_proxy.captures.redis_scripts import BATCH_ROOM, CREATE_BATCH, RENEW_LEASE, SWAP
from frontend_proxy.captures.webhooks import Webhooks, encode_message
from frontend_proxy.errors import Conflict, Overloaded, StorageUnavailable
from frontend_proxy.settings import Settings

LEASE_S = 10.0
# A request that took longer to store died with its proxy, and its Idempotency-Key is free again.
ARRIVING_S = 60.0
REQUEST = "batch.msgpack"
USED_MEMORY = 0.5  # part of Redis' memory: the records of batches are large, and stay for a day
_OPEN, _HOLDERS = PREFIX + "batches", key_of("batch-holder", "")


class _RedisLease:
    def __init__(self, redis: Redis, name: str, token: str) -> None:
        self._redis, self._name, self._token = redis, name, token
        self._renew = redis.register_script(RENEW_LEASE)

    async def renew(self) -> bool:
        with redis_errors():
            return bool(await self._renew(keys=[self._name], args=[self._token, int(1000 * LEASE_S)]))

    async def release(self) -> None:
        """Another proxy may have it at once."""
        with redis_errors():
            await self._renew(keys=[self._name], args=[self._token, 1])


class RedisBatches:
    """A `BatchStore`."""

    def __init__(self, settings: Settings, background: Background) -> None:
        assert settings.redis_url is not None
        self._redis = redis_client.connect(settings.redis_url.get_secret_value())
        self._requests = ImageStore(settings.results_url, settings.results_dir)
        self._quota = shared_quota(settings)
        most, share = settings.max_batches, settings.max_share_per_caller
        self._places = RedisPlaces(self._redis, BATCH_ROOM, most, "batches", share, USED_MEMORY)
        self._create = self._redis.register_script(CREATE_BATCH)
        self._swap = self._redis.register_script(SWAP)
        self._waiting = RedisDeliveries(self._redis)
        self.deliveries = Deliveries(Webhooks(settings), self._waiting, background)

    async def create(
        self, record: BatchRecord, request: bytes, key: IdempotencyKey | None
    ) -> BatchRecord | None:
        if key and (known := await self._claim_key(key, record)):
            return known
        try:
            await self._store(record, request, key)
        except BaseException:
            if key:
                await self._free_key(key, record)
            raise
        return None

    async def _store(self, record: BatchRecord, request: bytes, key: IdempotencyKey | None) -> None:
        if self._quota:
            await asyncio.to_thread(self._quota.check)
        await self._places.check_room(_OPEN, _HOLDERS)
        await self._requests.write(record.result_id, REQUEST, request)
        keys = [_OPEN, _HOLDERS, key_of("batch", record.result_id)]
        arguments: list[str | int | float] = [
            record.result_id,
            record.model_dump_json(),
            milliseconds_until(record.expires_at),
            *self._places.arguments,
            _claim(key, record) if key else "",
            record.created_at.timestamp(),
        ]
        with redis_errors():
            outcome = await self._create(
                keys=[*keys, key_of("key", key.name)] if key else keys, args=arguments
            )
        try:
            self._places.check(outcome)  # others may have taken the place meanwhile
        except Overloaded:
            await self._requests.delete(record.result_id, REQUEST)
            raise

    async def _claim_key(self, key: IdempotencyKey, record: BatchRecord) -> BatchRecord | None:
        """The batch that the key belongs to; None if it is this one's from now on."""
        name, lifetime = key_of("key", key.name), int(1000 * ARRIVING_S)
        claim = _claim(key, record, arriving=True)
        with redis_errors():
            if await self._redis.set(name, claim, nx=True, px=lifetime):
                return None
            document = await self._redis.get(name)
        earlier = None if document is None else parse(Claim, document)
        if earlier is None:
            raise Conflict("the batch of this Idempotency-Key has just ended; try again")
        if earlier.result_id == record.result_id:  # sent again, because Redis answered too late
            return None
        known = await self.load(earlier.result_id)
        if earlier.of(key, known) is not None:
            return known
        with redis_errors():  # it was deleted
            if earlier.arriving or not await self._swap(keys=[name], args=[document, claim, lifetime]):
                raise Conflict("a request with this Idempotency-Key is in progress; try again")
        return None

    async def _free_key(self, key: IdempotencyKey, record: BatchRecord) -> None:
        """Nothing was stored: a repeated request need not wait for the claim's end."""
        claim = _claim(key, record, arriving=True)
        with suppress(StorageUnavailable), redis_errors():
            await self._swap(keys=[key_of("key", key.name)], args=[claim, claim, 1])

    async def load(self, batch_id: str) -> BatchRecord | None:
        return await load_record(self._redis, "batch", batch_id, BatchRecord)

    async def request(self, batch_id: str) -> bytes | None:
        return await self._requests.read(batch_id, REQUEST)

    async def save(self, record: BatchRecord) -> None:
        await save_record(self._redis, "batch", record)

    async def finish(self, record: BatchRecord) -> None:
        if record.webhook_url is not None:  # before the end is saved: it is delivered at least once
            body = encode_message(webhook_message(record))
            await self._waiting.add(Delivery(record.result_id, record.webhook_url, body))
            self.deliveries.wake()
        await self.save(record)
        await self._close(record.result_id)
        await self._requests.delete(record.result_id, REQUEST)

    async def remove(self, record: BatchRecord) -> None:
        with redis_errors():
            await self._redis.delete(key_of("batch", record.result_id))
        await self._close(record.result_id)
        if record.webhook_url is not None:
            await self._waiting.remove(record.result_id, record.webhook_url)
        await self._requests.delete(record.result_id, REQUEST)

    async def cancel(self, batch_id: str) -> None:
        with redis_errors():
            lifetime = await self._redis.pttl(key_of("batch", batch_id))
            await self._redis.set(key_of("batch-cancel", batch_id), "", px=max(1, lifetime))

    async def cancelled(self, batch_id: str) -> bool:
        with redis_errors():
            return bool(await self._redis.exists(key_of("batch-cancel", batch_id)))

    async def unfinished(self) -> dict[str, str | None]:
        with redis_errors():
            names = [member.decode() for member in await self._redis.zrange(_OPEN, 0, -1)]
            holders = await self._redis.mget([_HOLDERS + name for name in names]) if names else []
        return {
            name: holder.decode() if holder else None for name, holder in zip(names, holders, strict=True)
        }

    async def _close(self, batch_id: str) -> None:
        """It takes no place any more."""
        with redis_errors():
            async with self._redis.pipeline() as pipeline:
                pipeline.zrem(_OPEN, batch_id)
                pipeline.delete(_HOLDERS + batch_id)
                await pipeline.execute()

    async def claim(self, batch_id: str) -> Lease | None:
        name, token = key_of("batch-lease", batch_id), secrets.token_hex(8)
        with redis_errors():
            taken = await self._redis.set(name, token, nx=True, px=int(1000 * LEASE_S))
        return _RedisLease(self._redis, name, token) if taken else None

    async def sweep(self) -> None:
        """Redis deletes what has expired by itself; the list of open batches forgets it here."""
        for batch_id in await self.unfinished():
            with redis_errors():
                exists = await self._redis.exists(key_of("batch", batch_id))
            if not exists:
                await self._close(batch_id)
        self.deliveries.wake()

    async def close(self) -> None:
        await self._redis.aclose()


def _claim(key: IdempotencyKey, record: BatchRecord, arriving: bool = False) -> str:
    """The document of a `Claim`."""
    claim = Claim(fingerprint=key.fingerprint, result_id=record.result_id, arriving=arriving)
    return claim.model_dump_json()
