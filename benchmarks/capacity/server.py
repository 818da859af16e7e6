"""A Triton in simulated time: its stages, what they share, and the served scheduler.

Executions on the processor share its cores evenly (processor sharing). Executions on the GPU take turns, as
they do under `--rate-limit=execution_count`.
"""

import math
import random
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import simpy

from benchmarks.capacity.machine import Configuration, Machine, Recipe
from pipeline.denoising.batching import padded_size
from pipeline.denoising.scheduler import Scheduler

IDLE_AFTER_S = 0.05  # without a job; a request after 0.1 s of idle time takes as long as one after 2 s


class Cores:
    """Cores that all tasks share: if they need more than there are, all slow down in proportion."""

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
        if timeout.value != self._round:  # a task arrived in the meantime, and its plan replaced this one
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
        self._in_progress, self._last_end = 0, -math.inf
        self.calls = 0  # of the UNet
        self.rows = 0  # in them, without padding

    def run_job(self, recipe: Recipe) -> Generator[simpy.Event, Any, None]:
        """Run one job in the order of the `tryon` model."""
        idle = self._in_progress == 0 and self.env.now - self._last_end > IDLE_AFTER_S
        self._in_progress += 1
        if idle:
            yield self.env.timeout(self._chance.choice(self._machine.wakes))
        yield from self._admit(recipe)
        self._in_progress -= 1
        self._last_end = self.env.now

    def _admit(self, recipe: Recipe) -> Generator[simpy.Event, Any, None]:
        if not recipe.live:
            yield from self._run_stages(recipe)
            return
        with self._live.request() as slot:
            yield slot
            with self._steps.live_request():
                yield from self._run_stages(recipe)

    def _run_stages(self, recipe: Recipe) -> Generator[simpy.Event, Any, None]:
        with self._encoders.request() as slot:
            yield slot
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
            with self._gpu.request() as slot:
                yield slot
                yield self.env.timeout(seconds)

    def predict(self, rows: int) -> Generator[simpy.Event, Any, None]:
        self.calls += 1
        self.rows += rows
        yield from self.execute("unet", padded_size(rows, self._machine.batch_sizes))


class _Pool:
    """A model's instances. Each takes waiting requests up to a batch, as Triton's dynamic batcher does."""

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


@dataclass(eq=False)
class _Job:
    """What the scheduler knows of a job."""

    live: bool
    rows: int
    steps_left: int
    finished: simpy.Event
    patient: bool = False


class _Steps:
    """Runs the served scheduler in simulated time, as the stepper does, but without a network."""

    def __init__(self, server: Server, configuration: Configuration):
        self._server = server
        self._scheduler: Scheduler[_Job] = Scheduler(configuration.max_rows, configuration.capture_interval)
        self._running = False
        self._schedule_again = server.env.event()

    @contextmanager
    def live_request(self) -> Iterator[None]:
        self._scheduler.live_begins()
        try:
            yield
        finally:
            if self._scheduler.live_ends():
                self._notify()

    def run(self, recipe: Recipe) -> simpy.Event:
        job = _Job(recipe.live, recipe.rows, recipe.steps, self._server.env.event())
        self._scheduler.add(job)
        if job.live:
            self._notify()
        if not self._running:
            self._running = True
            self._server.env.process(self._tick_while_jobs())
        return job.finished

    def _notify(self) -> None:
        self._schedule_again.succeed()
        self._schedule_again = self._server.env.event()

    def _tick_while_jobs(self) -> Generator[simpy.Event, Any, None]:
        env = self._server.env
        while self._scheduler.jobs:
            began = env.now
            tick = self._scheduler.schedule(began)
            if not tick.jobs:
                yield env.timeout(tick.wait_s) | self._schedule_again
                continue
            yield from self._server.predict(sum(job.rows for job in tick.jobs))
            for job in tick.jobs:
                job.steps_left -= 1
                if not job.steps_left:
                    self._scheduler.remove(job)
                    job.finished.succeed()
            self._scheduler.update(tick.jobs, began, env.now)
        self._running = False
