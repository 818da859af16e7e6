"""The queue of captures that several proxies make together, in Redis.

A proxy takes a capture from a stream (a consumer group), renews its lease while it makes the capture, and
acknowledges the entry when the result is stored. If the proxy dies, its lease ends after `LEASE_S` and
another one resumes the capture (XAUTOCLAIM). After `MAX_DELIVERIES` crashed attempts the capture is
dead-lettered.

    {lucy}:queue         stream: captures that have not ended; `version` is `payload.VERSION`
    {lucy}:batch-queue   the same for captures of batches, which nobody waits for
    {lucy}:dead          stream: dead letters with their reason, for operators
    {lucy}:key:NAME      an Idempotency-Key's `Claim`

Why no task queue library: the lease must be short, to notice a death soon, while a capture may take minutes.
taskiq-redis (1.2) renews no lease, so its default is ten minutes; saq (0.26) has lists instead of streams;
streaq (7.2) renews, and brings a second Redis client. None has dead letters.
"""

import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from frontend_proxy.answer_schemas import CaptureProgress
from frontend_proxy.captures import payload
from frontend_proxy.captures.idempotency import Claim, IdempotencyKey
from frontend_proxy.captures.payloads import Payloads
from frontend_proxy.captures.record import Record
from frontend_proxy.captures.redis_client import PREFIX, key_of, milliseconds_until, redis_errors
from frontend_proxy.captures.redis_places import RedisPlaces
from frontend_proxy.captures.redis_records import CaptureRecords, parse
from frontend_proxy.captures.redis_scripts import CREATE
from frontend_proxy.errors import Conflict, InferenceFailed, Overloaded, StorageUnavailable
from frontend_proxy.jobs import Job
from frontend_proxy.metrics import Backlog

logger = logging.getLogger(__name__)

LEASE_S = 10.0
MAX_DELIVERIES = 3
BLOCK_S = 1.0  # `take` waits for so long
NEWER_PROXY_S = 60.0  # for so long a capture that only a newer version can read is left to one
MAX_DEAD_LETTERS = 1000

QUEUE, BATCH_QUEUE = PREFIX + "queue", PREFIX + "batch-queue"
_DEAD, _GROUP = PREFIX + "dead", "proxies"

Fields = dict[bytes, bytes]


@dataclass(frozen=True)
class Taken:
    """A capture that this proxy is to make.

    deliveries: how many times a proxy has taken it.
    refusal: why it cannot be made.
    """

    entry: str
    record: Record
    deliveries: int
    refusal: InferenceFailed | None = None


class CaptureQueue:
    """Every method raises StorageUnavailable if Redis is away for some seconds."""

    def __init__(
        self,
        redis: Redis,
        records: CaptureRecords,
        payloads: Payloads,
        places: RedisPlaces,
        stream: str = QUEUE,
    ) -> None:
        self._stream = stream
        self._records = records
        self._payloads = payloads
        self._places = places
        self._redis = redis
        self._create = redis.register_script(CREATE)
        self._consumer = secrets.token_hex(8)
        self._cursor = "0-0"

    async def check_room(self) -> None:
        """Raises Overloaded."""
        await self._places.check_room(self._stream)

    async def put(self, record: Record, jobs: list[Job], key: IdempotencyKey | None) -> Record | None:
        """Accept a capture; if the key belongs to one already, return that one's record.

        Raises Overloaded, InsufficientStorage, KeyReused, Conflict.
        """
        await self.check_room()
        await self._payloads.write(record.result_id, jobs)
        claim = Claim(fingerprint=key.fingerprint if key else "", result_id=record.result_id)
        keys = [self._stream, key_of("record", record.result_id), *([key_of("key", key.name)] if key else ())]
        arguments: list[str | int | float] = [
            record.result_id,
            record.model_dump_json(),
            milliseconds_until(record.expires_at),
            *self._places.arguments,
            claim.model_dump_json(),
            key_of("record", ""),
            payload.VERSION,
        ]
        try:
            with redis_errors():
                outcome = await self._create(keys=keys, args=arguments)
            self._places.check(outcome)
        except (Overloaded, StorageUnavailable) as error:
            # Where Redis has not answered, it may have accepted the capture.
            if isinstance(error, Overloaded) or isinstance(error.__cause__, ResponseError):
                await self._payloads.delete(record.result_id)
            raise
        earlier = None if outcome == b"created" else parse(Claim, outcome)
        if key is None or earlier is None or earlier.result_id == record.result_id:
            return None
        await self._payloads.delete(record.result_id)
        found = earlier.of(key, await self._records.load(earlier.result_id))
        if found is None:  # it was removed or failed in this moment
            raise Conflict("the capture of this Idempotency-Key has just ended; try again")
        return found

    async def find(self, key: IdempotencyKey) -> Record | None:
        """The capture that the key belongs to. Raises KeyReused."""
        with redis_errors():
            document = await self._redis.get(key_of("key", key.name))
        claim = None if document is None else parse(Claim, document)
        return None if claim is None else claim.of(key, await self._records.load(claim.result_id))

    async def take(self) -> Taken | None:
        """The next capture, after waiting a little; None if there is none."""
        with redis_errors():
            try:
                entries = await self._resume_captures() or await self._new_captures()
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                with suppress(ResponseError):  # another proxy was faster
                    await self._redis.xgroup_create(self._stream, _GROUP, id="0", mkstream=True)
                return None
            for entry, fields in entries:
                if entry is not None and (taken := await self._open_or_bury(entry, fields or {})):
                    return taken
        return None

    async def _resume_captures(self) -> list[tuple[str, Fields]]:
        """One whose lease has ended. A call looks at a few entries only; the cursor continues at the next."""
        cursor, entries, *_ = await self._redis.xautoclaim(
            self._stream, _GROUP, self._consumer, int(1000 * LEASE_S), self._cursor, count=1
        )
        self._cursor = cursor
        return list(entries)

    async def _new_captures(self) -> list[tuple[str, Fields]]:
        streams = await self._redis.xreadgroup(
            _GROUP, self._consumer, {self._stream: ">"}, count=1, block=int(1000 * BLOCK_S)
        )
        return [entry for _, entries in streams for entry in entries]

    async def _open_or_bury(self, entry: str, fields: Fields) -> Taken | None:
        """Whatever is wrong with one entry ends that entry alone."""
        try:
            return await self._open(entry, fields)
        except RedisError:
            raise
        except Exception as error:
            logger.exception("the queue's entry %s cannot be read", entry)
            await self._bury(entry, fields.get(b"id", b"").decode(errors="replace"), type(error).__name__)
            return None

    async def _open(self, entry: str, fields: Fields) -> Taken | None:
        """The entry's capture; None if nothing is to be done for it now."""
        pending = await self._redis.xpending_range(self._stream, _GROUP, entry, entry, 1)
        if not pending:  # another proxy acknowledged it since it was claimed
            return None
        deliveries = int(pending[0]["times_delivered"])
        result_id = fields.get(b"id", b"").decode(errors="replace")
        if not result_id:
            await self._bury(entry, "", "the queue's entry has no id")
            return None
        document = await self._redis.get(key_of("record", result_id))
        if document is None:  # it was removed or has expired
            await self._acknowledge(entry)
            return None
        newer = _is_newer(fields)
        if newer and await self._seconds_since(entry) < NEWER_PROXY_S:
            await self._leave(entry, deliveries, idle_s=LEASE_S / 2)
            return None
        record = parse(Record, document)
        if record is None:
            await self._bury(entry, result_id, "its record cannot be read")
            return None
        if record.state != "running":  # a proxy died before it acknowledged the entry
            return Taken(entry, record, deliveries)
        if newer:
            refusal = "no proxy of the version that accepted this capture is left; send it again"
            return Taken(entry, record, deliveries, InferenceFailed(refusal))
        if deliveries > MAX_DELIVERIES:
            crashed = f"{MAX_DELIVERIES} servers stopped while they made this capture"
            return Taken(entry, record, deliveries, InferenceFailed(crashed))
        return Taken(entry, record, deliveries)

    async def jobs(self, taken: Taken) -> list[Job]:
        """Raises InferenceFailed if there is a refusal, or if they are gone or cannot be read."""
        if taken.refusal is not None:
            raise taken.refusal
        return await self._payloads.read(taken.record.result_id)

    async def renew(self, taken: Taken, progress: CaptureProgress | None = None) -> bool:
        """Renew the lease and report progress. Returns False if the capture was removed."""
        result_id = taken.record.result_id
        with redis_errors():
            async with self._redis.pipeline() as pipeline:
                pipeline.exists(key_of("record", result_id))
                pipeline.xclaim(self._stream, _GROUP, self._consumer, 0, [taken.entry], justid=True)
                if progress is not None:
                    news = progress.model_dump_json()
                    stored = progress.model_copy(update={"preview": None}).model_dump_json()
                    pipeline.set(key_of("progress", result_id), stored, px=int(1000 * 6 * LEASE_S))
                    pipeline.publish(key_of("news", result_id), news)
                return bool((await pipeline.execute())[0])

    async def release(self, taken: Taken) -> None:
        """Let another proxy take it at once; this attempt does not count as crashed."""
        with redis_errors():
            await self._leave(taken.entry, taken.deliveries, idle_s=2 * LEASE_S)

    async def acknowledge(self, taken: Taken) -> None:
        """Remove it from the queue: its end is stored."""
        with redis_errors():
            await self._acknowledge(taken.entry, key_of("jobs", taken.record.result_id))
        await self._payloads.delete(taken.record.result_id)

    async def dead_letter(self, taken: Taken, refusal: InferenceFailed) -> None:
        with redis_errors():
            await self._add_dead_letter(taken.record.result_id, str(refusal), taken.record.request_id)

    async def backlog(self) -> Backlog:
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.xlen(self._stream)
                pipeline.xlen(_DEAD)
                queued, dead = await pipeline.execute()
        return Backlog(queued, dead)

    async def _leave(self, entry: str, deliveries: int, idle_s: float) -> None:
        """Leave it to another proxy, as if it had been idle for `idle_s`, without counting this delivery."""
        await self._redis.xclaim(
            self._stream,
            _GROUP,
            self._consumer,
            0,
            [entry],
            idle=int(1000 * idle_s),
            retrycount=deliveries - 1,
            justid=True,
        )

    async def _acknowledge(self, entry: str, *keys: str) -> None:
        async with self._redis.pipeline() as pipeline:
            pipeline.xack(self._stream, _GROUP, entry)
            pipeline.xdel(self._stream, entry)
            if keys:
                pipeline.delete(*keys)
            await pipeline.execute()

    async def _bury(self, entry: str, result_id: str, reason: str) -> None:
        """Dead-letter an entry whose record cannot be read, so that no client can be told more than 404."""
        logger.error("the queue's entry %s of capture %r is dead-lettered: %s", entry, result_id, reason)
        await self._add_dead_letter(result_id, reason, "")
        await self._acknowledge(entry, *(key_of(kind, result_id) for kind in ("record", "jobs")))

    async def _add_dead_letter(self, result_id: str, reason: str, request_id: str) -> None:
        await self._redis.xadd(
            _DEAD,
            {"id": result_id, "request_id": request_id, "reason": reason},
            maxlen=MAX_DEAD_LETTERS,
            approximate=True,
        )

    async def _seconds_since(self, entry: str) -> float:
        """Seconds since the entry was added, by Redis's clock."""
        seconds, microseconds = await self._redis.time()
        milliseconds = (entry.decode() if isinstance(entry, bytes) else entry).partition("-")[0]
        return seconds + microseconds / 1e6 - int(milliseconds) / 1e3


def _is_newer(fields: Fields) -> bool:
    """Whether only a newer version can read the jobs. Entries of the first version name none."""
    try:
        return int(fields.get(b"version", b"1")) > payload.VERSION
    except ValueError:
        return True
