"""Which server gets the next job. No I/O: `tritons.py` tells it what it has seen of the servers.

Jobs without a session go round the ready servers (nginx's smooth weighted round robin). A session's jobs
prefer one server, whose memory of the session keeps the garment steady: the one of highest score
−w / ln h(server, session), weighted rendezvous hashing (Thaler and Ravishankar 1998; Schindelhauer and
Schomaker 2005). When a server goes, only its own sessions move; when it comes back, only they return.

    w = weight of a server: 1, or while it starts slowly, from 0.1 up to 1 in `slow_start_s` seconds
    h = a hash in (0, 1)

A server with more than its bound of jobs under way is passed over (consistent hashing with bounded loads,
Mirrokni, Thorup and Zadimoghaddam 2018).
"""

import hashlib
import math
from collections.abc import Collection
from dataclasses import dataclass

LEAST_WEIGHT = 0.1
# A session leaves its server when that has more jobs under way than both of these.
LOAD_FACTOR = 1.5  # by the mean of the ready servers
LOAD_FLOOR = 4


@dataclass
class Server:
    """What is known of one.

    ready: it takes jobs; None before its first check.
    slow_since: when it began to start slowly; None for one that has its whole weight.
    turn: smooth round robin's account of it.
    """

    ready: bool | None = None
    in_flight: int = 0
    slow_since: float | None = None
    turn: float = 0.0


class Balancer:
    """`now` is a monotonic clock in seconds, the caller's."""

    def __init__(self, slow_start_s: float) -> None:
        self._slow_start_s = slow_start_s
        self.servers: dict[str, Server] = {}

    def add(self, name: str, late: bool) -> None:
        """late: it joins others that work already, so it starts slowly."""
        self.servers[name] = Server(ready=False if late else None)

    def remove(self, name: str) -> Server:
        """It gets no more jobs; returns its account, for those that it still has."""
        return self.servers.pop(name)

    def see(self, name: str, ready: bool, now: float) -> bool:
        """What a check, or a job, has found of a server; whether that is news.

        One that comes back while others work starts slowly.
        """
        server = self.servers.get(name)
        if server is None or server.ready == ready:
            return False
        if ready and server.ready is False and any(other.ready for other in self.servers.values()):
            server.slow_since = now
        server.ready = ready
        return True

    def choose(self, session: str | None, passed_over: Collection[str], now: float) -> str | None:
        """A ready server that is none of `passed_over`; where none is ready, any: what is known may be old.

        None where all are passed over.
        """
        left = {name: server for name, server in self.servers.items() if name not in passed_over}
        candidates = {name: server for name, server in left.items() if server.ready} or left
        if not candidates:
            return None
        weights = {name: self.weight(name, now) for name in candidates}
        if session is None:
            return self._next_turn(weights)
        loads = [server.in_flight for server in candidates.values()]
        bound = max(LOAD_FLOOR, LOAD_FACTOR * sum(loads) / len(loads))
        within = [name for name, server in candidates.items() if server.in_flight <= bound]
        return max(within, key=lambda name: -weights[name] / math.log(_hash(name, session)))

    def weight(self, name: str, now: float) -> float:
        """0.1 to 1: its share, by that of a server that has long been there."""
        since = self.servers[name].slow_since
        if since is None or now - since >= self._slow_start_s:
            return 1.0
        return max(LEAST_WEIGHT, (now - since) / self._slow_start_s)

    def _next_turn(self, weights: dict[str, float]) -> str:
        for name, weight in weights.items():
            self.servers[name].turn += weight
        chosen = max(weights, key=lambda name: self.servers[name].turn)
        self.servers[chosen].turn -= sum(weights.values())
        return chosen


def _hash(name: str, session: str) -> float:
    """In (0, 1), the same in every proxy."""
    digest = hashlib.blake2b(f"{name}\n{session}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) + 0.5) / 2**64
