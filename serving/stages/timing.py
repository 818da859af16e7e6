"""How fast each runtime computes a stage on this machine, and which is the best.

A call of one row decides how long a lone keyframe takes, the work of four rows how many a crowd gets. Other
work on the machine makes some calls slow, so the runtimes take turns and the fastest call of each counts; the
processor's time counts as much as the clock's, since a busy machine disturbs it less.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serving.stages.runtime import ONNX_RUNTIME, CpuStage, Precision, Runtime, load_stage

ROWS = (1, 4)
TURNS = 12  # calls of each runtime with each number of rows, if there is time
# Larger networks are in memory one at a time.
TOGETHER_BYTES = 500 << 20
# The root mean square of what differs from ONNX Runtime's result in float32, as a share of that result's.
# With half a percent in each network a picture is within 55 dB of float32's, so with two it is within 40.
TOLERANCES: Mapping[Precision, float] = {"fp32": 1e-4, "bf16": 2e-2, "fp16": 2e-2}
# Another library takes memory and time at the start, so it must be this much faster.
LEAST_GAIN = 0.05
LEAST_GAIN_MS = 0.5

Inputs = dict[str, np.ndarray]
Load = Callable[[Path, Runtime], CpuStage]


@dataclass(frozen=True)
class Figures:
    """ms, processor_ms: the fastest call by its rows. error: as in TOLERANCES."""

    ms: Mapping[int, float]
    processor_ms: Mapping[int, float]
    error: float


class _Trial:
    """One runtime with the stage open."""

    def __init__(self, runtime: Runtime, stage: CpuStage, feeds: Mapping[int, Inputs], until: float):
        """Make the first call of each shape, which is slow; without the larger one if there is no time."""
        self.runtime, self._stage, self._feeds = runtime, stage, feeds
        self.ms: dict[int, float] = {}
        self.processor_ms: dict[int, float] = {}
        for rows in ROWS:
            took = self.ms.get(1, 0) / 1000
            if time.perf_counter() + rows * took > until and rows > 1:
                break
            outputs = stage.run(feeds[rows])
            if rows == 1:
                self.outputs = {name: np.array(array) for name, array in outputs.items()}
            self.call(rows)

    def call(self, rows: int) -> None:
        began, worked = time.perf_counter(), time.process_time()
        self._stage.run(self._feeds[rows])
        taken, work = time.perf_counter() - began, time.process_time() - worked
        self.ms[rows] = min(self.ms.get(rows, math.inf), 1000 * taken)
        self.processor_ms[rows] = min(self.processor_ms.get(rows, math.inf), 1000 * work)


def time_stage(
    model: Path,
    shapes: Mapping[str, Sequence[int]],
    runtimes: Sequence[Runtime],
    until: float,
    load: Load = load_stage,
) -> dict[Runtime, Figures]:
    """The figures of each runtime, the first of which is what errors are measured against.

    shapes: of one row of each input. until: the end, by time.perf_counter(). Runtimes for which there is no
    time are left out, and those that cannot compute the network.
    """
    together = sum(it.stat().st_size for it in model.parent.glob(f"{model.name}*")) < TOGETHER_BYTES
    groups = [list(runtimes)] if together else [[it] for it in runtimes]
    found: dict[Runtime, Figures] = {}
    truth: Inputs | None = None
    feeds: dict[int, Inputs] = {}
    longest = 0.0
    for number, group in enumerate(groups):
        trials: list[_Trial] = []
        now = time.perf_counter()
        end = now + (until - now) / (len(groups) - number)
        for runtime in group:
            began = time.perf_counter()
            if began + longest > until:
                break
            try:
                stage = load(model, runtime)
                feeds = feeds or {rows: example(stage.smallest_inputs(), shapes, rows) for rows in ROWS}
                trials.append(_Trial(runtime, stage, feeds, until))
            except RuntimeError:
                if truth is None and not trials:
                    raise
            longest = max(longest, time.perf_counter() - began)
        for _ in range(TURNS):
            for trial in trials:
                for rows in trial.ms:
                    if time.perf_counter() < end:
                        trial.call(rows)
        for trial in trials:
            truth = truth or trial.outputs
            found[trial.runtime] = Figures(trial.ms, trial.processor_ms, error(trial.outputs, truth))
    return found


def best(figures: Mapping[Runtime, Figures]) -> Runtime:
    """The fastest within its tolerance; ONNX Runtime in float32 unless another is clearly faster."""
    reference = figures[ONNX_RUNTIME]
    allowed = [
        runtime
        for runtime, it in figures.items()
        if it.error <= TOLERANCES[runtime.precision]
        and max(reference.ms[1] - it.ms[1], reference.processor_ms[1] - it.processor_ms[1]) >= LEAST_GAIN_MS
    ]
    fastest = min(allowed, key=lambda it: relative_time(figures[it], reference), default=ONNX_RUNTIME)
    faster = relative_time(figures[fastest], reference) <= 1 - LEAST_GAIN
    return fastest if faster else ONNX_RUNTIME


def relative_time(one: Figures, other: Figures) -> float:
    """Times of one as a share of the other's: the geometric mean of all that both have."""
    ratios = [
        mine[rows] / max(theirs[rows], 1e-6)
        for mine, theirs in ((one.ms, other.ms), (one.processor_ms, other.processor_ms))
        for rows in mine.keys() & theirs.keys()
    ]
    return math.prod(ratios) ** (1 / len(ratios))


def error(outputs: Inputs, truth: Inputs) -> float:
    """The largest error of an output, as TOLERANCES has it; infinite if a value is none."""
    found = 0.0
    for name, array in truth.items():
        difference = outputs[name].astype(np.float64) - array
        if not np.isfinite(difference).all():
            return math.inf
        scale = math.sqrt(np.mean(np.square(array.astype(np.float64)))) or 1.0
        found = max(found, math.sqrt(np.mean(np.square(difference))) / scale)
    return found


def example(inputs: Inputs, shapes: Mapping[str, Sequence[int]], rows: int) -> Inputs:
    """Inputs of the stage: zeros for whole numbers (tokens), ones for single numbers (timesteps), else noise.

    In 0…1, which is a picture and a mask, too: a network that reads light has no answer to a negative one.
    """
    noise = np.random.default_rng(0)

    def of(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        if not np.issubdtype(array.dtype, np.floating):
            return np.zeros((rows, *shape), array.dtype)
        if not shape:
            return np.ones(rows, array.dtype)
        return noise.random((rows, *shape)).astype(array.dtype)

    return {name: of(array, shapes[name]) for name, array in inputs.items()}
