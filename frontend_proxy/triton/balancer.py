"""Chooses the server of the next job. No I/O: `pool` reports the state of the servers.

Jobs without a session are distributed by nginx's smooth weighted round robin. A session's jobs prefer one
server, whose memory of the session keeps the garment steady: the one with the highest score
−w / ln h(server, session), weighted rendezvous hashing (Thaler and Ravishankar 1998; Schindelhauer and
Schomaker 2005). When a server fails, only its own sessions move; when it comes back, only they return.

    w = weight of a server: 1, or during its slow start, from 0.1 up to 1 in `slow_start_s` seconds
    h = a hash in (0, 1)

A server whose jobs in flight exceed its bound is skipped (consistent hashing with bounded loads,
Mirrokni, Thorup and Zadimoghaddam 2018).
"""

import hashlib
import math
from collections.abc import Collection
from dataclasses import dataclass

LEAST_WEIGHT = 0.1
# A session leaves its server when the server's jobs in flight exceed both of these.
LOAD_FACTOR = 1.5  # times the mean of the ready servers
LOAD_FLOOR = 4


@dataclass
class Server:
    """The state of one server.

    ready: whether it takes jobs; None before its first check.
    slow_since: when its slow start began; None if it has its full weight.
    current_weight: as in smooth weighted round robin.
    """

    ready: bool | None = None
    in_flight: int = 0
    slow_since: float | None = None
    current_weight: float = 0.0


class Balancer:
    """`now` is the caller's monotonic clock in seconds."""

    def __init__(self, slow_start_s: float) -> None:
        self._slow_start_s = slow_start_s
        self.servers: dict[str, Server] = {}

    def add(self, name: str, late: bool) -> None:
        """late: other servers are working already, so this one gets a slow start."""
        self.servers[name] = Server(ready=False if late else None)

    def remove(self, name: str) -> Server:
        """The server's state, which still counts its jobs in flight. It gets no more jobs."""
        return self.servers.pop(name)

    def set_ready(self, name: str, ready: bool, now: float) -> bool:
        """Record what a check or a job has found. Returns whether it is a change.

        A server that comes back while others work gets a slow start.
        """
        server = self.servers.get(name)
        if server is None or server.ready == ready:
            return False
        if ready and server.ready is False and any(other.ready for other in self.servers.values()):
            server.slow_since = now
        server.ready = ready
        return True

    def choose(self, session: str | None, excluded: Collection[str], now: float) -> str | None:
        """A ready server that is not excluded; None if all are excluded.

        If none is ready, any of them: the known state may be out of date.
        """
        left = {name: server for name, server in self.servers.items() if name not in excluded}
        candidates = {name: server for name, server in left.items() if server.ready} or left
        if not candidates:
            return None
        weights = {name: self.weight(name, now) for name in candidates}
        if session is None:
            return self._round_robin(weights)
        loads = [server.in_flight for server in candidates.values()]
        bound = max(LOAD_FLOOR, LOAD_FACTOR * sum(loads) / len(loads))
        within = [name for name, server in candidates.items() if server.in_flight <= bound]
        return max(within, key=lambda name: -weights[name] / math.log(_hash(name, session)))

    def weight(self, name: str, now: float) -> float:
        """0.1 to 1: the server's share, relative to a server without slow start."""
        since = self.servers[name].slow_since
        if since is None or now - since >= self._slow_start_s:
            return 1.0
        return max(LEAST_WEIGHT, (now - since) / self._slow_start_s)

    def _round_robin(self, weights: dict[str, float]) -> str:
        for name, weight in weights.items():
            self.servers[name].current_weight += weight
        chosen = max(weights, key=lambda name: self.servers[name].current_weight)
        self.servers[chosen].current_weight -= sum(weights.values())
        return chosen


def _hash(name: str, session: str) -> float:
    """In (0, 1), the same in every proxy."""
    digest = hashlib.blake2b(f"{name}\n{session}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) + 0.5) / 2**64
