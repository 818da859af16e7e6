"""Captures that several proxies make together: their states and a queue of them, in Redis.

A capture is taken from a stream by one proxy (a consumer group), which renews its lease while it makes it and
acknowledges it when it has ended. A proxy that dies renews nothing: after `LEASE_S` another one takes the
capture (XAUTOCLAIM). One that has ended `MAX_DELIVERIES` of its makers is put aside among the dead letters.

    {lucy}:queue         stream: the captures that have not ended
    {lucy}:dead          stream: those that ended their makers, for whoever looks into it
    {lucy}:record:ID     what is known of a capture (`Record`)
    {lucy}:jobs:ID       what the model is asked for, pictures too, until it has ended
    {lucy}:progress:ID   how far it is; also published on {lucy}:news:ID
    {lucy}:key:NAME      an Idempotency-Key's claim

Why no task queue's library: the lease must be short, to notice a death soon, while a capture and its webhook
may take minutes. taskiq-redis (1.2) renews no lease, so its default is ten minutes; saq (0.26) has lists
instead of streams; streaq (7.2) renews, and brings a second Redis client. None has dead letters.
"""

import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, RedisError, ResponseError, TimeoutError

from frontend_proxy.captures.idempotency import Claim, IdempotencyKey
from frontend_proxy.captures.payload import pack, unpack
from frontend_proxy.captures.results import Record
from frontend_proxy.errors import Overloaded, StorageUnavailable
from frontend_proxy.jobs import Job
from frontend_proxy.metrics import Backlog
from frontend_proxy.schemas import CaptureProgress

LEASE_S = 10.0
MAX_DELIVERIES = 3
BLOCK_S = 1.0  # so long `take` waits for a capture
MOST_DEAD = 1000

_PREFIX = "{lucy}:"  # the braces keep all of them in one slot of a Redis Cluster
_QUEUE, _DEAD, _GROUP = _PREFIX + "queue", _PREFIX + "dead", "proxies"

# All or nothing, and nothing new when it is sent again after a lost connection. Returns the claim of the
# capture that the key stands for (perhaps this one), "full" or "created".
_CREATE = """
local queue, record, jobs, key = unpack(KEYS)
local id, document, payload, lifetime, most, claim, records = unpack(ARGV)
if key then
  local earlier = redis.call('GET', key)
  if earlier then
    local other = redis.call('GET', records .. cjson.decode(earlier).result_id)
    if other and cjson.decode(other).state ~= 'failed' then return earlier end
  end
end
if redis.call('EXISTS', record) == 1 then return 'created' end
if redis.call('XLEN', queue) >= tonumber(most) then return 'full' end
redis.call('SET', record, document, 'PX', lifetime)
redis.call('SET', jobs, payload, 'PX', lifetime)
if key then redis.call('SET', key, claim, 'PX', lifetime) end
redis.call('XADD', queue, '*', 'id', id)
return 'created'
"""


@dataclass(frozen=True)
class Taken:
    """A capture that this proxy is to make, for the `deliveries`th time that one of them is."""

    entry: str
    record: Record
    jobs: list[Job]
    deliveries: int


class CaptureQueue:
    """Every method raises StorageUnavailable where Redis stays away for some seconds."""

    def __init__(self, url: str, most: int) -> None:
        self._most = most
        self._redis = Redis.from_url(
            url,
            socket_timeout=5,
            socket_connect_timeout=2,
            health_check_interval=15,
            retry=Retry(ExponentialWithJitterBackoff(cap=1, base=0.05), retries=8),
            retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
        )
        self._create = self._redis.register_script(_CREATE)
        self._consumer = secrets.token_hex(8)
        self._cursor = "0-0"

    async def put(self, record: Record, jobs: list[Job], key: IdempotencyKey | None) -> Record | None:
        """Accept a capture; where the key stands for one already, its record.

        Raises Overloaded, KeyReused.
        """
        keys = [_QUEUE, _name("record", record.result_id), _name("jobs", record.result_id)]
        claim = Claim(fingerprint=key.fingerprint if key else "", result_id=record.result_id)
        lifetime = record.expires_at - datetime.now(UTC)
        arguments: list[str | bytes | int] = [
            record.result_id,
            record.model_dump_json(),
            pack(jobs),
            max(1, int(1000 * lifetime.total_seconds())),
            self._most,
            claim.model_dump_json(),
            _name("record", ""),
        ]
        with redis_errors():
            said = await self._create(keys=keys + ([_name("key", key.name)] if key else []), args=arguments)
        if said == b"full":
            raise Overloaded(f"{self._most} captures wait already; try again in a moment")
        if said == b"created":
            return None
        earlier = Claim.model_validate_json(said)
        if key is None or earlier.result_id == record.result_id:
            return None
        return earlier.of(key, await self.load(earlier.result_id))

    async def take(self) -> Taken | None:
        """The next capture, after waiting a little; None where there is none."""
        with redis_errors():
            try:
                entries = await self._abandoned() or await self._fresh()
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                with suppress(ResponseError):  # another proxy was faster
                    await self._redis.xgroup_create(_QUEUE, _GROUP, id="0", mkstream=True)
                return None
            for entry, fields in entries:
                result_id = fields[b"id"].decode()
                record, jobs = await self._redis.mget(_name("record", result_id), _name("jobs", result_id))
                if record is None or jobs is None:  # it was removed, or its time was over
                    await self._forget(entry)
                    continue
                (pending,) = await self._redis.xpending_range(_QUEUE, _GROUP, entry, entry, 1)
                known = Record.model_validate_json(record)
                return Taken(entry, known, unpack(jobs), pending["times_delivered"])
        return None

    async def _abandoned(self) -> list[tuple[str, dict[bytes, bytes]]]:
        """One whose lease is over. The cursor goes on where the last look ended: a look sees a few only."""
        cursor, entries, _ = await self._redis.xautoclaim(
            _QUEUE, _GROUP, self._consumer, int(1000 * LEASE_S), self._cursor, count=1
        )
        self._cursor = cursor
        return list(entries)

    async def _fresh(self) -> list[tuple[str, dict[bytes, bytes]]]:
        streams = await self._redis.xreadgroup(
            _GROUP, self._consumer, {_QUEUE: ">"}, count=1, block=int(1000 * BLOCK_S)
        )
        return [entry for _, entries in streams for entry in entries]

    async def renew(self, taken: Taken, progress: CaptureProgress | None = None) -> bool:
        """Tell that it is still being made, and how far it is; whether anybody still wants it."""
        result_id = taken.record.result_id
        with redis_errors():
            async with self._redis.pipeline() as pipeline:
                pipeline.exists(_name("record", result_id))
                pipeline.xclaim(_QUEUE, _GROUP, self._consumer, 0, [taken.entry], justid=True)
                if progress is not None:
                    news = progress.model_dump_json()
                    bare = progress.model_copy(update={"preview": None}).model_dump_json()
                    pipeline.set(_name("progress", result_id), bare, px=int(1000 * 6 * LEASE_S))
                    pipeline.publish(_name("news", result_id), news)
                return bool((await pipeline.execute())[0])

    async def release(self, taken: Taken) -> None:
        """Another proxy may take it at once; this is no death."""
        with redis_errors():
            await self._redis.xclaim(
                _QUEUE,
                _GROUP,
                self._consumer,
                0,
                [taken.entry],
                idle=int(2000 * LEASE_S),
                retrycount=taken.deliveries - 1,
                justid=True,
            )

    async def end(self, taken: Taken) -> None:
        """Nothing is left to do for it."""
        with redis_errors():
            await self._forget(taken.entry, _name("jobs", taken.record.result_id))

    async def bury(self, taken: Taken) -> None:
        """Put it among the dead letters."""
        with redis_errors():
            await self._redis.xadd(
                _DEAD,
                {"id": taken.record.result_id, "request_id": taken.record.request_id},
                maxlen=MOST_DEAD,
                approximate=True,
            )

    async def save(self, record: Record) -> None:
        """Raises FileNotFoundError where the capture was removed."""
        name = _name("record", record.result_id)
        with redis_errors():
            if not await self._redis.set(name, record.model_dump_json(), xx=True, keepttl=True):
                raise FileNotFoundError(name)
            await self._redis.publish(_name("news", record.result_id), "")

    async def load(self, result_id: str) -> Record | None:
        with redis_errors():
            document = await self._redis.get(_name("record", result_id))
        return None if document is None else Record.model_validate_json(document)

    async def progress(self, result_id: str) -> CaptureProgress | None:
        with redis_errors():
            document = await self._redis.get(_name("progress", result_id))
        return None if document is None else CaptureProgress.model_validate_json(document)

    async def remove(self, result_id: str) -> None:
        """Whoever makes it stops when it renews its lease."""
        with redis_errors():
            names = [_name(kind, result_id) for kind in ("record", "jobs", "progress")]
            await self._redis.delete(*names)
            await self._redis.publish(_name("news", result_id), "")

    async def news(self, result_id: str) -> AsyncGenerator[CaptureProgress | None, None]:
        """How far it is as it goes on; None, at least every `BLOCK_S` seconds, where its record may have
        changed. Without an end."""
        with redis_errors():
            async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(_name("news", result_id))
                yield None
                while True:
                    message = await subscription.get_message(timeout=BLOCK_S)
                    news = message["data"] if message else b""
                    yield CaptureProgress.model_validate_json(news) if news else None

    async def backlog(self) -> Backlog:
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.xlen(_QUEUE)
                pipeline.xlen(_DEAD)
                queued, dead = await pipeline.execute()
        return Backlog(queued, dead)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _forget(self, entry: str, *names: str) -> None:
        async with self._redis.pipeline() as pipeline:
            pipeline.xack(_QUEUE, _GROUP, entry)
            pipeline.xdel(_QUEUE, entry)
            if names:
                pipeline.delete(*names)
            await pipeline.execute()


@contextmanager
def redis_errors() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise StorageUnavailable("the captures' states cannot be reached; try again in a moment") from error


def _name(kind: str, result_id: str) -> str:
    return f"{_PREFIX}{kind}:{result_id}"
