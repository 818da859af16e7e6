"""`Places` that several proxies share: a script in Redis counts them and takes one, or refuses."""

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from frontend_proxy.captures.redis_client import redis_errors
from frontend_proxy.errors import StorageUnavailable
from frontend_proxy.holder import current_holder
from frontend_proxy.places import full, over_share


class RedisPlaces:
    """
    room: a script that tells whether a place is free. most, what, share: as those of `Places`.
    memory: the part of Redis' memory beyond which it takes nothing new. What it has accepted needs the rest:
        states, leases, webhooks and rate limits.
    """

    def __init__(self, redis: Redis, room: str, most: int, what: str, share: float, memory: float) -> None:
        self._redis = redis
        self._room = redis.register_script(room)
        self._most, self._what, self._share = most, what, share
        self._memory = memory

    @property
    def arguments(self) -> tuple[str, int, float]:
        """Of a script that takes a place: the holder and the limits."""
        return current_holder() or "", self._most, self._share

    async def check_room(self, *names: str) -> None:
        """Raises Overloaded or StorageUnavailable if no place can be taken now. names: the script's keys."""
        with redis_errors():
            outcome = await self._room(keys=names, args=self.arguments)
        self.check(outcome)
        await self._check_memory()

    def check(self, outcome: bytes) -> None:
        """Raises Overloaded if this is a script's refusal."""
        if outcome == b"full":
            raise full(self._most, self._what)
        if outcome == b"share":
            raise over_share(self._most, self._what)

    async def _check_memory(self) -> None:
        """A Redis that evicts, or does not tell, is not asked."""
        with redis_errors():
            try:
                found = await self._redis.info("memory")
            except ResponseError:
                return
        most = int(found.get("maxmemory", 0)) if found.get("maxmemory_policy") == "noeviction" else 0
        if most and found["used_memory"] > self._memory * most:
            raise StorageUnavailable("the captures' storage is nearly full; try again in a few minutes")
