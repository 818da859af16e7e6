"""Shoppers before simulated servers, and how many of them the servers carry."""

import itertools
import math
import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

from benchmarks.capacity_server import Configuration, Machine, Recipe, Server

USERS_A_PROXY = 500  # each proxy shares its jobs out in turn, and knows nothing of the others'


@dataclass(frozen=True)
class Load:
    """What one shopper does.

    interval: seconds from one keyframe to the next; 0: the next as soon as the last is answered.
    captures: of a shopper a second, at random times.
    """

    interval: float = 1.5
    captures: float = 1 / 120
    keyframe: Recipe = field(default_factory=lambda: Recipe(live=True, steps=4))
    capture: Recipe = field(default_factory=lambda: Recipe(live=False, steps=25))


@dataclass
class Tally:
    """Seconds from arrival to answer, and what became of every keyframe."""

    keyframes: list[float] = field(default_factory=list)
    captures: list[float] = field(default_factory=list)
    sent: int = 0
    answered: int = 0
    dropped: int = 0
    captures_sent: int = 0
    captures_answered: int = 0
    rows_a_call: float = 0.0

    def percentile(self, share: float) -> float:
        """Of the keyframes, the least time that `share` of them do not exceed."""
        return percentile(self.keyframes, share)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


class _Shopper:
    """One socket: while a keyframe is in the works, the next ones replace each other (session.py)."""

    def __init__(self, crowd: "_Crowd", proxy: int):
        self._crowd, self._proxy = crowd, proxy
        self._waiting: float | None = None
        self._busy = False
        crowd.env.process(self._camera())
        if crowd.load.captures:
            crowd.env.process(self._capture_button())

    def _camera(self) -> Generator[simpy.Event, Any, None]:
        crowd = self._crowd
        yield crowd.env.timeout(crowd.chance.uniform(0, crowd.load.interval or 0.2))
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
        yield from crowd.server(self._proxy).dress(crowd.load.keyframe)
        crowd.tally.answered += 1
        if arrived >= crowd.warm:
            crowd.tally.keyframes.append(crowd.env.now - arrived)

    def _capture_button(self) -> Generator[simpy.Event, Any, None]:
        crowd = self._crowd
        while True:
            yield crowd.env.timeout(crowd.chance.expovariate(crowd.load.captures))
            if crowd.env.now >= crowd.until:
                return
            crowd.tally.captures_sent += 1
            crowd.env.process(self._capture())

    def _capture(self) -> Generator[simpy.Event, Any, None]:
        crowd, arrived = self._crowd, self._crowd.env.now
        yield from crowd.server(self._proxy).dress(crowd.load.capture)
        crowd.tally.captures_answered += 1
        if arrived >= crowd.warm:
            crowd.tally.captures.append(crowd.env.now - arrived)


class _Crowd:
    def __init__(self, env, servers, users, load, until, warm, chance):
        self.env, self.load, self.until, self.warm, self.chance = env, load, until, warm, chance
        self.tally = Tally()
        # Each proxy goes round the servers from a place of its own.
        self._turns = [
            itertools.cycle(servers[start:] + servers[:start])
            for start in (chance.randrange(len(servers)) for _ in range(math.ceil(users / USERS_A_PROXY)))
        ]
        for user in range(users):
            _Shopper(self, user % len(self._turns))

    def server(self, proxy: int) -> Server:
        return next(self._turns[proxy])


def simulate(
    machine: Machine,
    users: int,
    load: Load,
    *,
    servers: int = 1,
    seconds: float = 60.0,
    seed: int = 0,
    configuration: Configuration | None = None,
) -> Tally:
    """What `users` shoppers get from `servers` alike, who arrive for `seconds`; all under way is answered.

    The first tenth of the time counts for nothing: it starts with idle servers.
    """
    env, chance = simpy.Environment(), random.Random(seed)
    configuration = configuration or Configuration.read()
    fleet = [Server(env, machine, configuration, chance) for _ in range(servers)]
    crowd = _Crowd(env, fleet, users, load, seconds, seconds / 10, chance)
    env.run()
    calls = sum(server.calls for server in fleet)
    crowd.tally.rows_a_call = sum(server.rows for server in fleet) / calls if calls else 0.0
    return crowd.tally


def users_within(limit: float, machine: Machine, load: Load, **options: Any) -> int:
    """The most users whose keyframes have their p99 within `limit` seconds, and none dropped.

    `options` are `simulate`'s. With many servers, to an eighth of a user a server. 0 if one is too many.
    """

    def carried(users: int) -> bool:
        tally = simulate(machine, users, load, **options)
        return tally.dropped == 0 and tally.percentile(0.99) <= limit

    servers = options.get("servers", 1)
    low, high = 0, servers
    while carried(high):
        low, high = high, 2 * high
    while high - low > max(1, servers // 8):
        middle = (low + high) // 2
        low, high = (middle, high) if carried(middle) else (low, middle)
    return low
