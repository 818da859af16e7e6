"""How fast each runtime computes a stage on this machine, and which is the best.

A call of one row decides how long a lone keyframe takes, the work of four rows how many a crowd gets. Other
work on the machine makes some calls slow, so the runtimes take turns and the fastest call of each counts; the
processor's time counts as much as the clock's, since a busy machine disturbs it less.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from serving.stages.figures import Figures
from serving.stages.runtime import CpuStage, Runtime, load_stage

ROWS = (1, 4)
TURNS = 12  # calls of each runtime with each number of rows, if there is time
# Larger networks are in memory one at a time.
TOGETHER_BYTES = 500 << 20
Inputs = dict[str, np.ndarray]
Load = Callable[[Path, Runtime], CpuStage]


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
