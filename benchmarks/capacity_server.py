"""A Triton in simulated time: its stages, what they share, and the real stepper's choice of rows.

Executions on the processor share its cores evenly (processor sharing). Executions on the GPU take turns, as
they do under `--rate-limit=execution_count`.
"""

import math
import random
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import simpy

FALLS_ASLEEP_S = 0.05  # without a job; a request after 0.1 s of silence takes as long as one after 2 s

REPOSITORY = Path(__file__).resolve().parents[1] / "model_repository"


def _module(path: Path) -> Any:
    """A module that stands beside a model.py, where only Triton finds it by name."""
    spec = spec_from_file_location(path.stem, path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Stepper = _module(REPOSITORY / "tryon" / "1" / "stepper.py").Stepper
padded_size = _module(REPOSITORY / "tryon" / "1" / "batch.py").padded_size


@dataclass(frozen=True)
class Stage:
    """Of one execution, by its rows.

    times: seconds that it takes alone.
    busy: processor seconds, more than `times` where it keeps several cores busy; none: it runs on the GPU.
    spread: single executions' times beside their mean, drawn from evenly.
    """

    times: Mapping[int, float]
    busy: Mapping[int, float] | None
    spread: Sequence[float] = (1.0,)

    def seconds(self, rows: int) -> float:
        return _between(self.times, rows)

    def cores(self, rows: int) -> float:
        """That it keeps busy; 0 on the GPU."""
        return _between(self.busy, rows) / self.seconds(rows) if self.busy else 0.0


def _between(known: Mapping[int, float], rows: int) -> float:
    """On straight lines between what is known, and on from the last two; in proportion to a single one."""
    sizes = sorted(known)
    if rows in known or len(sizes) == 1:
        return known.get(rows, known[sizes[0]] * rows / sizes[0])
    above = next((size for size in sizes if size > rows), sizes[-1])
    below = sizes[max(0, sizes.index(above) - 1)]
    slope = (known[above] - known[below]) / (above - below)
    return known[below] + slope * (rows - below)


@dataclass(frozen=True)
class Machine:
    """
    stages: preprocess, vae_encoder, unet, vae_decoder, postprocess.
    overhead: seconds of a job that no stage accounts for, on one core.
    wakes: seconds more for a job that finds the machine asleep, drawn from evenly: idle cores wake late,
        virtual ones above all, at each of the job's hops between processes, and caches are cold.
    batch_sizes: to which the UNet's rows are padded; none where a row costs its full time.
    profile: of the model repository's configurations that it runs under.
    """

    name: str
    cores: int
    stages: Mapping[str, Stage]
    overhead: float = 0.0
    wakes: Sequence[float] = (0.0,)
    batch_sizes: Sequence[int] = ()
    profile: str = "cpu"


@dataclass(frozen=True)
class Recipe:
    """What a job asks of the UNet. live: a keyframe."""

    live: bool
    steps: int
    rows: int = 1


@dataclass(frozen=True)
class Configuration:
    """What model_repository's configurations say. max_batch: where Triton batches requests by itself."""

    max_rows: int
    capture_interval: int
    max_live: int
    max_encoding: int
    instances: Mapping[str, int]
    max_batch: Mapping[str, int]

    @classmethod
    def read(cls, profile: str) -> "Configuration":
        def text(model: str) -> str:
            own = REPOSITORY / model / "configs" / f"{profile}.pbtxt"
            return (own if own.exists() else REPOSITORY / model / "config.pbtxt").read_text()

        def number(model: str, pattern: str) -> int:
            return int(re.search(pattern, text(model))[1])

        def parameter(name: str) -> int:
            return number("tryon", rf'key: "{name}"\s+value {{ string_value: "(\d+)"')

        processes, networks = ("preprocess", "postprocess"), ("vae_encoder", "vae_decoder")
        return cls(
            parameter("max_rows"),
            parameter("capture_interval"),
            parameter("max_live"),
            parameter("max_encoding"),
            {model: number(model, r"kind: KIND_\w+\s+count: (\d+)") for model in processes},
            {
                model: number(model, r"max_batch_size: (\d+)")
                for model in networks
                if re.search(r"^dynamic_batching", text(model), re.MULTILINE)
            },
        )


class Cores:
    """Shared evenly: while more cores are asked for than there are, everything takes as much longer."""

    def __init__(self, env: simpy.Environment, count: float):
        self._env, self._count = env, count
        self._running: dict[simpy.Event, list[float]] = {}  # event: [seconds left when alone, cores]
        self._since = env.now
        self._round = 0

    def run(self, seconds: float, cores: float) -> simpy.Event:
        self._advance()
        done = self._env.event()
        self._running[done] = [seconds, cores]
        self._plan()
        return done

    def _rate(self) -> float:
        wanted = sum(cores for _, cores in self._running.values())
        return min(1.0, self._count / wanted) if wanted else 1.0

    def _advance(self) -> None:
        gone = (self._env.now - self._since) * self._rate()
        for task in self._running.values():
            task[0] -= gone
        self._since = self._env.now

    def _plan(self) -> None:
        self._round += 1
        if self._running:
            least = max(0.0, min(left for left, _ in self._running.values()))
            timeout = self._env.timeout(least / self._rate(), self._round)
            timeout.callbacks.append(self._finish)

    def _finish(self, timeout: simpy.Event) -> None:
        if timeout.value != self._round:  # something came in between, and planned anew
            return
        self._advance()
        for done in [done for done, (left, _) in self._running.items() if left <= 1e-9]:
            del self._running[done]
            done.succeed()
        self._plan()


class Server:
    """One Triton on one machine."""

    def __init__(
        self, env: simpy.Environment, machine: Machine, configuration: Configuration, chance: random.Random
    ):
        self.env, self._machine, self._chance = env, machine, chance
        self._cores = Cores(env, machine.cores)
        self._gpu = simpy.Resource(env)
        self._live = simpy.Resource(env, configuration.max_live)
        self._encoders = simpy.Resource(env, configuration.max_encoding)
        self._pools = {
            stage: _Pool(
                self, stage, configuration.instances.get(stage, 1), configuration.max_batch.get(stage, 1)
            )
            for stage in ("preprocess", "vae_encoder", "vae_decoder", "postprocess")
        }
        self._steps = _Steps(self, configuration)
        self._under_way, self._last_end = 0, -math.inf
        self.calls = 0  # of the UNet
        self.rows = 0  # in them, without padding

    def dress(self, recipe: Recipe) -> Generator[simpy.Event, Any, None]:
        """One job, as `tryon` takes it through."""
        asleep = self._under_way == 0 and self.env.now - self._last_end > FALLS_ASLEEP_S
        self._under_way += 1
        if asleep:
            yield self.env.timeout(self._chance.choice(self._machine.wakes))
        yield from self._dress(recipe)
        self._under_way -= 1
        self._last_end = self.env.now

    def _dress(self, recipe: Recipe) -> Generator[simpy.Event, Any, None]:
        if not recipe.live:
            yield from self._make(recipe)
            return
        with self._live.request() as place:
            yield place
            with self._steps.live_under_way():
                yield from self._make(recipe)

    def _make(self, recipe: Recipe) -> Generator[simpy.Event, Any, None]:
        with self._encoders.request() as place:
            yield place
            yield self._pools["preprocess"].run()
            yield self._pools["vae_encoder"].run()
        yield self._cores.run(self._machine.overhead, 1)
        yield self._steps.run(recipe)
        yield self._pools["vae_decoder"].run()
        yield self._pools["postprocess"].run()

    def execute(self, name: str, rows: int) -> Generator[simpy.Event, Any, None]:
        stage = self._machine.stages[name]
        seconds = stage.seconds(rows) * self._chance.choice(stage.spread)
        if cores := stage.cores(rows):
            yield self._cores.run(seconds, cores)
        else:
            with self._gpu.request() as turn:
                yield turn
                yield self.env.timeout(seconds)

    def predict(self, rows: int) -> Generator[simpy.Event, Any, None]:
        self.calls += 1
        self.rows += rows
        yield from self.execute("unet", padded_size(rows, self._machine.batch_sizes))


class _Pool:
    """A model's instances: each takes what waits, up to a batch, as Triton's dynamic batcher does."""

    def __init__(self, server: Server, stage: str, instances: int, max_batch: int):
        self._server, self._stage, self._max_batch = server, stage, max_batch
        self._waiting = simpy.Store(server.env)
        for _ in range(instances):
            server.env.process(self._work())

    def run(self) -> simpy.Event:
        done = self._server.env.event()
        self._waiting.put(done)
        return done

    def _work(self) -> Generator[simpy.Event, Any, None]:
        while True:
            batch = [(yield self._waiting.get())]
            while self._waiting.items and len(batch) < self._max_batch:
                batch.append(self._waiting.items.pop(0))
            yield from self._server.execute(self._stage, len(batch))
            for done in batch:
                done.succeed()


@dataclass
class _Job:
    """As the stepper sees it."""

    live: bool
    rows: int
    left: int

    @property
    def done(self) -> bool:
        return self.left <= 0


@dataclass
class _Ticket:
    job: _Job
    finished: simpy.Event
    last_tick: int = field(default=-1)


class _Steps(Stepper):
    """The real stepper's choice of who advances (`_pick`) and of when captures give way; only time passes
    otherwise."""

    def __init__(self, server: Server, configuration: Configuration):
        super().__init__(None, configuration.max_rows, configuration.capture_interval)
        self._server = server
        self._running = False
        self._give_way_no_longer = _Signal(server.env)

    def run(self, recipe: Recipe) -> simpy.Event:
        job = _Job(recipe.live, recipe.rows, recipe.steps)
        ticket = _Ticket(job, self._server.env.event())
        self._tickets.append(ticket)
        if job.live:
            self._give_way_no_longer.set()
        if not self._running:
            self._running = True
            self._server.env.process(self._tick_while_jobs())
        return ticket.finished

    def _tick_while_jobs(self) -> Generator[simpy.Event, Any, None]:
        env, pause = self._server.env, 0.0
        while self._tickets:
            if self._gives_way(pause):
                yield env.timeout(pause) | self._give_way_no_longer.next
                pause = 0.0
                continue
            began = env.now
            picked = self._pick()
            yield from self._server.predict(sum(ticket.job.rows for ticket in picked))
            for ticket in picked:
                ticket.last_tick = self._tick
                ticket.job.left -= 1
                if ticket.job.done:
                    self._tickets.remove(ticket)
                    ticket.finished.succeed()
            self._tick += 1
            pause = (self._capture_interval - 1) * (env.now - began)
        self._running = False


class _Signal:
    """An `asyncio.Event` in simulated time, as far as the stepper needs one: it wakes who waits now."""

    def __init__(self, env: simpy.Environment):
        self._env = env
        self.next = env.event()

    def set(self) -> None:
        self.next.succeed()
        self.next = self._env.event()
