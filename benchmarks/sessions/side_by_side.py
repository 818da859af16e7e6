"""Both servers in one run, alternating (A B A B). Machines are noisy, so compare ratios, not times."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import httpx
from tqdm import tqdm
from websockets.exceptions import WebSocketException

from benchmarks.sessions import servers
from benchmarks.sessions.load import Load, lone, run
from benchmarks.sessions.pictures import Messages, swaying
from benchmarks.sessions.record import Record
from benchmarks.sessions.servers import BASELINE, Server
from export.hand_written import copy_hand_written

TURNS = 2
FAILURES = (OSError, TimeoutError, httpx.HTTPError, WebSocketException)
HEIGHT = 720  # of the frames, in pixels; their aspect is 16:9


@dataclass(frozen=True)
class Plan:
    """What to measure.

    seconds, open_seconds: duration of each load in closed and in open loop, per server and turn.
    heights, steps: frame heights and step counts whose cost is compared, with `rounds` keyframes each.
    export: whether to time `make export` as well.
    """

    loads: tuple[Load, ...]
    seconds: float
    open_seconds: float
    heights: tuple[int, ...]
    steps: tuple[int, ...]
    rounds: int
    export: bool = False


FULL = Plan(
    loads=tuple(
        Load(sessions, loop, captures)
        for captures in (0, 1, 4)
        for loop in ("closed", "open")
        for sessions in (1, 2, 4, 8, 16)
    ),
    seconds=8,
    open_seconds=15,
    heights=(360, 720, 1080),
    steps=(1, 2, 4, 8, 16, 25),
    rounds=6,
    export=True,
)
QUICK = Plan(
    loads=(Load(1, "closed"), Load(1, "closed", 1), Load(8, "closed"), Load(16, "open")),
    seconds=5,
    open_seconds=10,
    heights=(360, 1080),
    steps=(1, 4, 8),
    rounds=3,
)
PLANS = {"full": FULL, "quick": QUICK}


def measure(plan: Plan, record: Record, setting: str) -> None:
    """Carry out `plan`; the record's section `sessions` is written after every measurement.

    If a measurement fails, the section says so and the others go on.
    """
    section = record.begin("sessions", setting=setting, ready_s={}, loads=[], growth=[], failures=[])
    if plan.export:
        section["export_s"] = _export_time()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        print("Starting both servers …", flush=True)
        threads = _best_threads(section, Path(folder))
        pair = [
            running.enter_context(servers.lucy(Path(folder))),
            running.enter_context(servers.baseline(Path(folder), threads)),
        ]
        for server in pair:
            section["ready_s"].setdefault(server.name, []).append(round(server.ready_s, 1))
        for doing, rows, result in tqdm(list(_measurements(plan, pair, section)), unit="measurement"):
            try:
                rows.append(result())
            except FAILURES as error:
                section["failures"].append(f"{doing}: {error!r}")
                tqdm.write(section["failures"][-1])
            record.write()


def _measurements(plan: Plan, pair: list[Server], section: dict) -> Iterator[tuple]:
    """Each measurement in order: its description, the list for its result, and the call that measures."""
    pairs = swaying(HEIGHT)
    messages, capture = Messages(pairs), capture_body(pairs)

    def one_load(server: Server, load: Load, turn: int) -> dict:
        seconds = plan.seconds if load.loop == "closed" else plan.open_seconds
        return {"turn": turn, **asyncio.run(run(server, load, seconds, messages, capture))}

    for load in plan.loads:
        for turn, server in product(range(TURNS), pair):
            yield f"{server.name}: {load}", section["loads"], partial(one_load, server, load, turn)
    changes = [("height", height) for height in plan.heights] + [("steps", count) for count in plan.steps]
    for change in changes:
        for _, server in product(range(TURNS), pair):
            yield (
                f"{server.name}: {change}",
                section["growth"],
                partial(_growth, server, *change, plan.rounds),
            )


def _growth(server: Server, variable: str, value: int, rounds: int) -> dict:
    """Latency and processor time of single keyframes with one variable changed."""
    height = value if variable == "height" else HEIGHT
    messages = Messages(swaying(height), steps=value if variable == "steps" else None)
    asyncio.run(lone(server, messages))
    busy = server.cpu_s()
    latencies = asyncio.run(lone(server, messages, rounds))
    cpu_s = round((server.cpu_s() - busy) / rounds, 3)
    return {"server": server.name, variable: value, "latencies_ms": latencies, "cpu_s": cpu_s}


def capture_body(pairs: list[tuple[str, str]]) -> bytes:
    frame, render = pairs[0]
    return json.dumps({"user_image": frame, "jacket_render": render, "pose": None}).encode()


def _best_threads(section: dict, folder: Path) -> int:
    """The number of torch's threads with which the previous backend is fastest. Records its start times."""
    messages = Messages(swaying(HEIGHT))
    tried = {}
    cores = os.cpu_count() or 1
    for threads in sorted({1, max(1, cores // 2), cores}):
        with servers.baseline(folder, threads) as server:
            section["ready_s"].setdefault(BASELINE, []).append(round(server.ready_s, 1))
            asyncio.run(lone(server, messages))
            tried[threads] = min(asyncio.run(lone(server, messages, 8)))
    section["old_way_threads"] = {str(threads): ms for threads, ms in tried.items()}
    return min(tried, key=tried.__getitem__)


def _export_time() -> float:
    """Seconds that the first export takes."""
    print("Exporting …", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder, "model_repository")
        copy_hand_written(repository)
        began = time.perf_counter()
        command = [sys.executable, "-m", "export", "--repository", repository]
        subprocess.run(command, check=True, capture_output=True)
        return round(time.perf_counter() - began, 1)
