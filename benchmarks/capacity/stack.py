"""Measurements of a running Triton: its stages, which the simulation takes, and real loads to check it."""

import asyncio
import os
import random
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import psutil
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import np_to_triton_dtype

from benchmarks.capacity.load import Load, Tally
from benchmarks.capacity.machine import Machine, Stage
from benchmarks.perf import real_inputs
from tests.tryon_client import Tryon, keyframe

ROUNDS = 20
PAUSE_S = 1.2  # long enough for the cores to go idle, and about the pause between one user's keyframes
ROWS = {"vae_encoder": (1, 2, 4), "unet": (1, 2, 4, 8), "vae_decoder": (1, 2, 4)}
ENSEMBLES = {
    "preprocess": "encode",
    "postprocess": "decode",
}  # a stage, and the ensemble that calls it with real inputs
PICTURES = keyframe("transparent_no_pose")


async def measure(address: str, triton: psutil.Process) -> Machine:
    """Measure the stages of the Triton at `address`, on an otherwise idle machine."""
    inputs = await real_inputs(address)
    height, width = 8 * np.array(inputs["decode"]["latents"].shape[-2:])
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 3, height, width)).astype(np.float32)
    rows_of = {
        "vae_encoder": {"pixels": pixels},
        "unet": inputs["unet"],
        "vae_decoder": {"latents": inputs["decode"]["latents"]},
    }
    async with InferenceServerClient(address) as client, Tryon.connect(address) as tryon:
        probe = _Probe(client, triton)
        stages = {}
        for name, sizes in ROWS.items():
            one = {size: await probe.stage(name, name, _repeated(rows_of[name], size)) for size in sizes}
            times = {size: stage.times[1] for size, stage in one.items()}
            busy = {size: stage.busy[1] for size, stage in one.items()}
            stages[name] = Stage(times, busy, one[1].spread)
        for name, ensemble in ENSEMBLES.items():
            stages[name] = await probe.stage(name, ensemble, inputs[ensemble])

        seconds, reports = await _keyframes(tryon, pause=0)
        rested, _ = await _keyframes(tryon, PAUSE_S)
    steps = reports[0]["steps"]
    # What a tick takes in addition to the UNet: stacking rows, and the call from `tryon` and back.
    ticks = statistics.fmean(report["latency_ms"]["denoise"] for report in reports) / 1000 / steps
    tick = max(0.0, ticks - stages["unet"].times[1])
    unet = stages["unet"]
    times, busy = ({size: t + tick for size, t in known.items()} for known in (unet.times, unet.busy))
    stages["unet"] = Stage(times, busy, unet.spread)
    known = sum(stage.times[1] * (steps if name == "unet" else 1) for name, stage in stages.items())
    overhead = max(0.0, statistics.fmean(seconds) - known)
    wakes = [max(0.0, each - statistics.fmean(seconds)) for each in rested]
    return Machine("this machine", os.cpu_count() or 1, stages, overhead, wakes)


async def _keyframes(tryon: Tryon, pause: float) -> tuple[list[float], list[dict]]:
    """Seconds and reports of keyframes that are sent one at a time, each after a pause."""
    seconds, reports = [], []
    for _ in range(ROUNDS):
        await asyncio.sleep(pause)
        began = time.perf_counter()
        reports.append((await tryon.dress(PICTURES))["report"])
        seconds.append(time.perf_counter() - began)
    return seconds, reports


class _Probe:
    def __init__(self, client: InferenceServerClient, triton: psutil.Process):
        self._client, self._triton = client, triton

    async def stage(self, model: str, called: str, inputs: dict[str, np.ndarray]) -> Stage:
        """The cost of `model` by Triton's statistics, while `called` gets one request at a time."""
        tensors = []
        for name, array in inputs.items():
            tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        for _ in range(3):
            await self._client.infer(called, tensors)
        before, busy = await self._computed(model), self._cpu_seconds()
        seconds = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await self._client.infer(called, tensors)
            seconds.append(time.perf_counter() - began)
        after = await self._computed(model)
        mean = (after[1] - before[1]) / (after[0] - before[0])
        # `preprocess` and `postprocess` run on one core; the rest of the ensemble does not.
        busy = mean if called != model else (self._cpu_seconds() - busy) / ROUNDS
        return Stage({1: mean}, {1: busy}, [each / statistics.fmean(seconds) for each in seconds])

    async def _computed(self, model: str) -> tuple[int, float]:
        """The number of executions so far, and their total seconds."""
        stats = (await self._client.get_inference_statistics(model)).model_stats[0]
        parts = stats.inference_stats
        taken = parts.compute_input.ns + parts.compute_infer.ns + parts.compute_output.ns
        return stats.execution_count, taken / 1e9

    def _cpu_seconds(self) -> float:
        total = 0.0
        for process in [self._triton, *self._triton.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total


def _repeated(inputs: dict[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
    return {name: np.repeat(array, rows, axis=0) for name, array in inputs.items()}


async def drive(address: str, users: int, load: Load, seconds: float, seed: int) -> Tally:
    """Run the load that `simulate` simulates on a real Triton."""
    chance, tally = random.Random(seed), Tally()
    async with Tryon.connect(address) as tryon:
        before = await tryon.statistics("unet")
        crowd = _Crowd(tryon, load, seconds, tally)
        await asyncio.gather(*(crowd.user(random.Random(chance.random())) for _ in range(users)))
        after = await tryon.statistics("unet")
    tally.rows_a_call = (after[0] - before[0]) / max(1, after[1] - before[1])
    return tally


class _Crowd:
    def __init__(self, tryon: Tryon, load: Load, seconds: float, tally: Tally):
        self._tryon, self._load, self._tally = tryon, load, tally
        self._began = time.perf_counter()
        self._until, self._warm = self._began + seconds, self._began + seconds / 10

    async def user(self, chance: random.Random) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._camera(chance, tasks))
            if self._load.captures:
                tasks.create_task(self._capture_button(chance, tasks))

    async def _camera(self, chance: random.Random, tasks: asyncio.TaskGroup) -> None:
        await asyncio.sleep(chance.uniform(0, self._load.interval or 0.2))
        due, waiting, busy = time.perf_counter(), None, False

        async def answer_waiting() -> None:
            nonlocal waiting, busy
            busy = True
            while waiting is not None:
                arrived, waiting = waiting, None
                await self._answer(arrived)
            busy = False

        while time.perf_counter() < self._until:
            self._tally.sent += 1
            if self._load.interval == 0:
                await self._answer(time.perf_counter())
                continue
            self._tally.dropped += waiting is not None
            waiting = time.perf_counter()
            if not busy:
                tasks.create_task(answer_waiting())
            due += self._load.interval
            await asyncio.sleep(due - time.perf_counter())

    async def _answer(self, arrived: float) -> None:
        await self._tryon.dress(PICTURES, "keyframe", steps=self._load.keyframe.steps)
        self._tally.answered += 1
        if arrived >= self._warm:
            self._tally.keyframes.append(time.perf_counter() - arrived)

    async def _capture_button(self, chance: random.Random, tasks: asyncio.TaskGroup) -> None:
        while True:
            await asyncio.sleep(chance.expovariate(self._load.captures))
            if time.perf_counter() >= self._until:
                return
            self._tally.captures_sent += 1
            tasks.create_task(self._capture())

    async def _capture(self) -> None:
        arrived = time.perf_counter()
        await self._tryon.dress(PICTURES, "capture", steps=self._load.capture.steps, output_format="jpeg")
        self._tally.captures_answered += 1
        if arrived >= self._warm:
            self._tally.captures.append(time.perf_counter() - arrived)


def as_json(machine: Machine) -> dict:
    return {
        "name": machine.name,
        "cores": machine.cores,
        "overhead_ms": round(1000 * machine.overhead, 2),
        "wakes_ms": [round(1000 * seconds, 1) for seconds in sorted(machine.wakes)],
        "stages": {
            name: {
                "ms_by_rows": {str(rows): round(1000 * t, 2) for rows, t in sorted(stage.times.items())},
                "processor_ms_by_rows": {
                    str(rows): round(1000 * t, 2) for rows, t in sorted((stage.busy or {}).items())
                },
                "spread": _quantiles(stage.spread),
            }
            for name, stage in machine.stages.items()
        },
    }


def _quantiles(values: Sequence[float]) -> list[float]:
    found = np.quantile(values, np.linspace(0.025, 0.975, 20))
    return [round(float(value), 3) for value in found / found.mean()]


def from_json(document: dict) -> Machine:
    def seconds(by_rows: dict[str, float]) -> dict[int, float]:
        return {int(rows): ms / 1000 for rows, ms in by_rows.items()}

    stages = {
        name: Stage(seconds(stage["ms_by_rows"]), seconds(stage["processor_ms_by_rows"]), stage["spread"])
        for name, stage in document["stages"].items()
    }
    wakes = [ms / 1000 for ms in document["wakes_ms"]]
    return Machine(document["name"], document["cores"], stages, document["overhead_ms"] / 1000, wakes)
