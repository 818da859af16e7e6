"""How fast the fabric scan is, compared with the scan that it replaces, and what it costs the proxy.

Scans are timed in processor time of all threads, so that other work on the machine matters little. On an idle
machine the elapsed time is no longer than that.
"""

import cProfile
import multiprocessing
import os
import pstats
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from types import FunctionType

import cv2
import numpy as np

from benchmarks.baseline import fabric as baseline
from benchmarks.event_loop import while_scanning
from benchmarks.fabric.materials import jpeg
from benchmarks.fabric.metrics import Measure
from benchmarks.fabric.sheets import make_sheet, photograph
from fabric import encode, even, frame, ingest, light, quality, rectify, relief, repeat, scan, seam
from fabric.builtin import RECIPES
from fabric.light import srgb_to_linear
from frontend_proxy.malloc import keep_large_blocks

STAGES: tuple[FunctionType, ...] = (
    ingest.decode, rectify.find_outline, quality.judge, repeat.find_repeats, frame.choose_frame,
    frame.cut_out, light.srgb_to_linear, light.well_lit, even.evened, seam.make_seamless,
    seam.settle_border, light.linear_to_srgb, relief.estimated_height, relief.normal_map,
    relief.roughness_map, relief.occlusion_map, encode.encode,
)  # fmt: skip
ROUNDS = 3
SCANS_A_ROUND = 10  # scans of ours for each scan of the old one


def photo() -> bytes:
    """A 12-megapixel JPEG of denim."""
    cloth = cv2.resize(RECIPES["denim-blue"].make(2), (4000, 3000), interpolation=cv2.INTER_CUBIC)
    return jpeg(cloth, 92)


def sheet_in_shadow() -> bytes:
    """12 megapixels of a sheet on a table, half in shadow: outline, shadow and shape are looked for."""
    seen = photograph(make_sheet("plain", 2302), "half in shadow", 2302).pixels
    return jpeg(srgb_to_linear(cv2.resize(seen, (4000, 3000), interpolation=cv2.INTER_CUBIC)), 92)


def speed(quick: bool) -> Iterator[Measure]:
    """A 12-megapixel JPEG, in one process and in one process per core; both scans alternate."""
    if quick:
        return
    keep_large_blocks()
    data = photo()
    maps = scan(data).maps
    ours, old = [], []
    for _ in range(ROUNDS):
        ours += [_seconds(lambda: scan(data)) for _ in range(3)]
        old.append(_seconds(lambda: baseline.scan(data)))
    yield Measure("one scan, median (CPU s)", statistics.median(ours), 0, 0.5, statistics.median(old))
    table = sheet_in_shadow()
    scan(table)
    seconds = [_seconds(lambda: scan(table)) for _ in range(5)]
    yield Measure("a sheet half in shadow, median (CPU s)", statistics.median(seconds), 0, 0.5)
    for name, milliseconds in _stages(data).items():
        yield Measure(f"  {name} (CPU ms)", milliseconds, 0, np.inf)
    ours, old = _scans_a_minute(data)
    yield Measure("scans a minute on all cores", ours, 0, np.inf, old)
    yield Measure("scans a minute, times the old", ours / old, 20, np.inf)
    yield Measure("all maps together (MB)", sum(len(m.data) for m in maps.values()) / 1e6, 0.1, 3.0)


def serving(quick: bool) -> Iterator[Measure]:
    """The proxy's event loop while two clients scan."""
    if quick:
        return
    delays = while_scanning(photo(), seconds=20)
    yield Measure("scans answered", delays.scans, 10, np.inf)
    yield Measure("event loop late without scans, p99 (ms)", float(np.percentile(delays.idle, 99)), 0, np.inf)
    yield Measure("event loop late with scans, p99 (ms)", float(np.percentile(delays.busy, 99)), 0, 10)
    yield Measure("event loop late with scans, most (ms)", float(delays.busy.max()), 0, np.inf)


def _stages(data: bytes) -> dict[str, float]:
    """Milliseconds of processor time of each stage of one scan."""
    count = 10
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    for _ in range(count):
        scan(data)
    profile.disable()
    cumulative = {key: row[3] for key, row in pstats.Stats(profile).stats.items()}  # type: ignore[attr-defined]
    return {
        function.__name__: 1000 * cumulative[code.co_filename, code.co_firstlineno, code.co_name] / count
        for function in STAGES
        for code in [function.__code__]
    }


def _scans_a_minute(data: bytes) -> tuple[float, float]:
    """Scans per minute of this scan and of the old one, alternating, in one process with one thread per core.

    Both keep freed memory, as the proxy's worker does.
    """
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, context, initializer=_one_thread) as pool:

        def minutes(function: Callable[[bytes], object], times: int) -> float:
            """Mean minutes that `times` scans take in each process."""
            return sum(pool.map(partial(_repeated, function, data), [times] * cores)) / cores / 60

        minutes(scan, 2)
        rounds = [(minutes(scan, SCANS_A_ROUND), minutes(baseline.scan, 1)) for _ in range(ROUNDS)]
    ours, old = (statistics.median(column) for column in zip(*rounds, strict=True))
    return cores * SCANS_A_ROUND / ours, cores / old


def _one_thread() -> None:
    keep_large_blocks()
    cv2.setNumThreads(1)


def _repeated(function: Callable[[bytes], object], data: bytes, times: int) -> float:
    return _seconds(lambda: [function(data) for _ in range(times)])


def _seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began
