"""What was measured of each runtime, and which is the best. Nothing here computes, so it needs no NumPy."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from serving.stages.runtime import ONNX_RUNTIME, Precision, Runtime

# The root mean square of what differs from ONNX Runtime's result in float32, as a share of that result's.
# With half a percent in each network a picture is within 55 dB of float32's, so with two it is within 40.
TOLERANCES: Mapping[Precision, float] = {"fp32": 1e-4, "bf16": 2e-2, "fp16": 2e-2}
# Another library takes memory and time at the start, so it must be this much faster.
LEAST_GAIN = 0.05
LEAST_GAIN_MS = 0.5


@dataclass(frozen=True)
class Figures:
    """ms, processor_ms: the fastest call by its rows. error: as in TOLERANCES."""

    ms: Mapping[int, float]
    processor_ms: Mapping[int, float]
    error: float


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
