"""Simulated users on simulated servers, and how many users the servers can serve."""

import math
import random
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

from benchmarks.capacity.machine import Configuration, Machine, Recipe
from benchmarks.capacity.server import Server
from frontend_proxy.triton.balancer import Balancer

USERS_A_PROXY = 500


@dataclass(frozen=True)
class Load:
    """What one user does.

    interval: seconds from one keyframe to the next; 0: the next one is sent when the last is answered.
    captures: captures per user and second, at random times.
    """

    interval: float = 1.5
    captures: float = 1 / 120
    keyframe: Recipe = field(default_factory=lambda: Recipe(live=True, steps=4))
    capture: Recipe = field(default_factory=lambda: Recipe(live=False, steps=25))


@dataclass
class Tally:
    """Seconds from arrival to answer, and the number of keyframes sent, answered and dropped."""

    keyframes: list[float] = field(default_factory=list)
    captures: list[float] = field(default_factory=list)
    sent: int = 0
    answered: int = 0
    dropped: int = 0
    captures_sent: int = 0
    captures_answered: int = 0
    rows_a_call: float = 0.0

    def percentile(self, share: float) -> float:
        """The latency of the keyframes at this percentile. share: 0 to 1."""
        return percentile(self.keyframes, share)

    def in_flight(self, seconds: float) -> float:
        """The mean number of jobs under way. seconds: of the simulation, whose first tenth is not counted."""
        return (sum(self.keyframes) + sum(self.captures)) / (0.9 * seconds)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


class _User:
    """One socket. While a keyframe is processed, a newer one replaces the one that waits, as in the proxy."""

    def __init__(self, crowd: "_Crowd", proxy: "_Proxy", session: str):
        self._crowd, self._proxy, self._session = crowd, proxy, session
        self._chance = random.Random(crowd.chance.random())
        self._waiting: float | None = None
        self._busy = False
        crowd.env.process(self._camera())
        if crowd.load.captures:
            crowd.env.process(self._capture_button())

    def _camera(self) -> Generator[simpy.Event, Any, None]:
        crowd = self._crowd
        yield crowd.env.timeout(self._chance.uniform(0, crowd.load.interval or 0.2))
        while crowd.env.now < crowd.until:
            crowd.tally.sent += 1
            if crowd.load.interval == 0:
                yield crowd.env.process(self._answer(crowd.env.now))
                continue
            if self._waiting is not None:
                crowd.tally.dropped += 1
            self._waiting = crowd.env.now
            if not self._busy:
                crowd.env.process(self._answer_waiting())
            yield crowd.env.timeout(crowd.load.interval)

    def _answer_waiting(self) -> Generator[simpy.Event, Any, None]:
        self._busy = True
        while self._waiting is not None:
            arrived, self._waiting = self._waiting, None
            yield from self._answer(arrived)
        self._busy = False

    def _answer(self, arrived: float) -> Generator[simpy.Event, Any, None]:
        crowd = self._crowd
        yield from self._proxy.run_job(self._session, crowd.load.keyframe, crowd.env.now)
        crowd.tally.answered += 1
        if arrived >= crowd.warm:
            crowd.tally.keyframes.append(crowd.env.now - arrived)

    def _capture_button(self) -> Generator[simpy.Event, Any, None]:
        crowd = self._crowd
        while True:
            yield crowd.env.timeout(self._chance.expovariate(crowd.load.captures))
            if crowd.env.now >= crowd.until:
                return
            crowd.tally.captures_sent += 1
            crowd.env.process(self._capture())

    def _capture(self) -> Generator[simpy.Event, Any, None]:
        crowd, arrived = self._crowd, self._crowd.env.now
        yield from self._proxy.run_job(None, crowd.load.capture, crowd.env.now)
        crowd.tally.captures_answered += 1
        if arrived >= crowd.warm:
            crowd.tally.captures.append(crowd.env.now - arrived)


class _Proxy:
    """Chooses servers with the real balancer, which knows only this proxy's own requests."""

    def __init__(self, servers: Mapping[str, Server]):
        self._servers = servers
        self._balancer = Balancer(slow_start_s=0)
        for name in servers:
            self._balancer.add(name, late=False)
            self._balancer.set_ready(name, True, 0)

    def run_job(self, session: str | None, recipe: Recipe, now: float) -> Generator[simpy.Event, Any, None]:
        name = self._balancer.choose(session, (), now)
        state = self._balancer.servers[name]
        state.in_flight += 1
        yield from self._servers[name].run_job(recipe)
        state.in_flight -= 1


class _Crowd:
    def __init__(
        self,
        env: simpy.Environment,
        servers: Mapping[str, Server],
        users: int,
        load: Load,
        until: float,
        seed: int,
    ):
        self.env, self.load, self.until, self.warm = env, load, until, until / 10
        self.chance, self.tally = random.Random(seed), Tally()
        proxies = [_Proxy(servers) for _ in range(math.ceil(users / USERS_A_PROXY))]
        for user in range(users):
            _User(self, proxies[user % len(proxies)], f"session {seed} {user}")


def simulate(
    machine: Machine,
    users: int,
    load: Load,
    *,
    servers: int = 1,
    seconds: float = 60.0,
    seed: int = 0,
    crowd_seed: int | None = None,
) -> Tally:
    """Simulate `users` on `servers` equal servers for `seconds`; what is then in progress is still answered.

    The first tenth of the time is warm-up and is not counted. crowd_seed: the seed of the users' arrival and
    capture times alone; `stack.drive` draws the same times from the same seed.
    """
    env, chance = simpy.Environment(), random.Random(seed)
    configuration = Configuration.read(machine.profile)
    fleet = {
        f"10.0.{n // 256}.{n % 256}:8001": Server(env, machine, configuration, chance) for n in range(servers)
    }
    crowd = _Crowd(env, fleet, users, load, seconds, seed if crowd_seed is None else crowd_seed)
    env.run()
    calls = sum(server.calls for server in fleet.values())
    crowd.tally.rows_a_call = sum(server.rows for server in fleet.values()) / calls if calls else 0.0
    return crowd.tally


def enough(users: int, load: Load, keyframes: int = 2000) -> float:
    """Seconds until `keyframes` have been sent, enough for a 99th percentile; at least 20."""
    return max(20.0, keyframes * load.interval / users)


def users_within(limit: float, machine: Machine, load: Load, servers: int = 1, keyframes: int = 2000) -> int:
    """The largest number of users for which 99 % of keyframes are answered within `limit` seconds.

    A dropped keyframe counts as late. Precise to an eighth of a user per server. 0 if one user is too many.
    """

    def carried(users: int) -> bool:
        tally = simulate(machine, users, load, servers=servers, seconds=enough(users, load, keyframes))
        late = tally.dropped + sum(second > limit for second in tally.keyframes)
        return late <= 0.01 * (tally.dropped + len(tally.keyframes))

    low, high = 0, servers
    while carried(high):
        low, high = high, 2 * high
    while high - low > max(1, servers // 8):
        middle = (low + high) // 2
        low, high = (middle, high) if carried(middle) else (low, middle)
    return low
