"""`python -m benchmarks.stages`: each network's time beside the least that this processor could take for it.

The floor is the larger of its multiply-adds over the fastest matrix product that was measured, and of its
bytes over the fastest copy. Networks, product and copy take turns, and the fastest of each counts, in
processor time: other work on the machine disturbs that least. A precision with other units (bfloat16) can lie
below the floor, which is float32's.
"""

import argparse
import math
import sys
import time
from dataclasses import dataclass

from benchmarks.command_line import run
from benchmarks.provenance import provenance
from benchmarks.stages.rates import Rates, processor_ms
from benchmarks.stages.work import Work, work_of
from serving.cpu_settings import CpuSettings
from serving.exported import read_manifest
from serving.stages.measured import measured_runtime
from serving.stages.runtime import CpuStage, Runtime, choose_runtime, load_stage
from serving.stages.timing import example
from tests.repository import REPOSITORY

_LEAST_CALLS = 5


@dataclass
class Stage:
    """ms, processor_ms: of the fastest call."""

    name: str
    runtime: Runtime
    work: Work
    network: CpuStage
    inputs: dict
    ms: float = math.inf
    processor_ms: float = math.inf

    def call(self) -> None:
        began = time.perf_counter()
        self.processor_ms = min(self.processor_ms, processor_ms(lambda: self.network.run(self.inputs)))
        self.ms = min(self.ms, 1000 * (time.perf_counter() - began))

    def floor_ms(self, rates: Rates) -> float:
        return max(self.work.multiply_adds / rates.multiply_adds, self.work.bytes / rates.bytes)


def opened(rows: int) -> list[Stage]:
    """Every stage of the tests' repository, as it is served here."""
    stages = []
    for name, entry in read_manifest(REPOSITORY)["stages"].items():
        model, shapes = REPOSITORY / name / "1" / "model.onnx", entry["buckets"][0]
        runtime = choose_runtime(CpuSettings().cpu_runtime, measured_runtime(model))
        network = load_stage(model, runtime)
        inputs = example(network.smallest_inputs(), shapes, rows)
        stages.append(Stage(name, runtime, work_of(model, shapes, rows), network, inputs))
    return stages


COLUMNS = (
    "network",
    "million multiply-adds",
    "MB",
    "floor, ms",
    "measured",
    "times the floor",
    "left to win",
)


def table(stages: list[Stage], rates: Rates) -> str:
    rows: list[tuple[str, ...]] = [COLUMNS, ("---",) * len(COLUMNS)]
    for it in stages:
        floor, took = it.floor_ms(rates), it.processor_ms
        work = f"{it.work.multiply_adds / 1e6:.0f}", f"{it.work.bytes / 1e6:.1f}"
        found = f"{floor:.1f}", f"{took:.1f}", f"{took / floor:.1f}", f"{took - floor:.1f}"
        rows.append((f"{it.name}, {it.runtime}", *work, *found))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1, help="of each call (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="in all (default: %(default)s)")
    args = parser.parse_args()
    origin = provenance()
    stages, rates = opened(args.rows), Rates()
    until = time.perf_counter() + args.seconds
    calls = 0
    while calls < _LEAST_CALLS or time.perf_counter() < until:
        rates.measure()
        for stage in stages:
            stage.call()
        calls += 1
    where = f"commit {origin['commit']}; {origin['machine']}, load average {origin['load_average']} before"
    print(f"{origin['command']}, {origin['began']}, {where}; the fastest of {calls} calls")
    rate = f"{rates.multiply_adds / 1e6:.1f} multiply-adds in float32, {rates.bytes / 1e6:.1f} bytes"
    print(f"A nanosecond of a core: {rate}")
    print(table(stages, rates))
    return 0


if __name__ == "__main__":
    sys.exit(run("bench-stages", main))
