"""How many users a GPU can serve: a simulation with measured stage times, checked against real loads.

    python -m benchmarks.capacity check     # measures and simulates this machine's stack: 4 minutes
    python -m benchmarks.capacity table     # simulates GPUs (gpus.json): 2 minutes

Both write their part of benchmarks/results/capacity.json. `table` also writes capacity.md and capacity.png
from it. `check` ends with status 1 if p50 or p99 differ by more than 20 %.
"""

import argparse
import asyncio
import json
import math
import platform
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import provenance
from benchmarks.capacity import report as capacity_report
from benchmarks.capacity import stack as capacity_stack
from benchmarks.capacity.load import Load, Tally, enough, percentile, simulate, users_within
from benchmarks.capacity.machine import Configuration, Machine, Recipe, Stage
from benchmarks.command_line import run
from benchmarks.stack import ready_stack

RESULTS = Path(__file__).parents[1] / "results" / "capacity.json"
GPUS = Path(__file__).with_name("gpus.json")
LIMIT_S = 0.5
FLEETS = (1, 2, 4, 8)  # simulated; larger fleets are extrapolated from the last
LARGER = (32, 100, 1000)
_CROWD = 0
# Loads that two cores can just serve, and slightly more: (name, users, load).
CHECKS = (
    ("1 user", 1, Load(captures=0)),
    ("4 users", 4, Load(captures=0)),
    ("8 users", 8, Load(captures=0)),
    ("4 users, a capture each 10 s", 4, Load(captures=1 / 40)),
    ("1 user, closed loop", 1, Load(interval=0, captures=0)),
    ("2 users, closed loop", 2, Load(interval=0, captures=0)),
    ("4 users, closed loop", 4, Load(interval=0, captures=0)),
)


async def compare(address: str, triton: Any, seconds: float) -> dict:
    """Measures and simulates each load. The stages are measured before and after the loads."""
    machine = await capacity_stack.measure(address, triton)
    measured = [
        await capacity_stack.drive(address, users, load, seconds, _CROWD) for _, users, load in CHECKS
    ]
    after = await capacity_stack.measure(address, triton)
    machine = mean(machine, after)
    rows = []
    for (name, users, load), real in zip(CHECKS, measured, strict=True):
        # The same arrival times in both: users who arrive together wait for each other.
        crowds = [
            simulate(machine, users, load, seconds=seconds, seed=seed, crowd_seed=_CROWD)
            for seed in range(20)
        ]
        together = Tally([second for crowd in crowds for second in crowd.keyframes])
        row = {"load": name, "keyframes": len(real.keyframes)}
        for share in (0.5, 0.99):
            found, simulated = (1000 * tally.percentile(share) for tally in (real, together))
            row[f"p{100 * share:.0f}"] = {"measured_ms": round(found), "simulated_ms": round(simulated)}
        row["rows_a_call"] = {
            "measured": round(real.rows_a_call, 2),
            "simulated": round(sum(crowd.rows_a_call for crowd in crowds) / len(crowds), 2),
        }
        row["dropped"] = {"measured": real.dropped, "simulated": sum(c.dropped for c in crowds) / len(crowds)}
        rows.append(row)
    return {"machine": capacity_stack.as_json(machine), "seconds_each": seconds, "loads": rows}


def mean(one: Machine, other: Machine) -> Machine:
    """The mean of two measurements of one machine."""

    def means(ours: Mapping[int, float], theirs: Mapping[int, float]) -> dict[int, float]:
        return {rows: (seconds + theirs[rows]) / 2 for rows, seconds in ours.items()}

    stages = {}
    for name, ours in one.stages.items():
        theirs = other.stages[name]
        times, busy = means(ours.times, theirs.times), means(ours.busy, theirs.busy)
        stages[name] = Stage(times, busy, [*ours.spread, *theirs.spread])
    overhead, wakes = (one.overhead + other.overhead) / 2, [*one.wakes, *other.wakes]
    return replace(one, stages=stages, overhead=overhead, wakes=wakes)


def gpu(document: dict, gpu: dict, here: Machine) -> Machine:
    """A GPU's server: networks as assumed, processor stages as measured on this machine."""
    stages = {stage: here.stages[stage] for stage in ("preprocess", "postprocess")}
    for stage, tflop in document["tflop_per_row"].items():
        a_row = tflop / (gpu["tflops"] * gpu["utilization"])
        stages[stage] = Stage(
            {rows: gpu["floor_ms"] / 1000 + rows * a_row for rows in document["batch_sizes"]}, busy=None
        )
    sizes = document["batch_sizes"]
    return Machine(gpu["name"], gpu["cores"], stages, here.overhead, here.wakes, sizes, "gpu")


def table(document: dict, here: Machine) -> dict:
    """For each GPU: users within the limit for fleets of each size, captures, cost."""
    load = Load(
        keyframe=Recipe(live=True, **document["keyframe"]), capture=Recipe(live=False, **document["capture"])
    )
    only_captures = Load(interval=0, captures=0, keyframe=load.capture)
    kinds = []
    for one in document["gpus"]:
        machine = gpu(document, one, here)
        alone = simulate(machine, Configuration.read("gpu").max_rows // load.capture.rows, only_captures)
        a_minute = 60 / 54 * len(alone.keyframes)  # a tenth of the 60 s is warm-up
        fleets = []
        for servers in FLEETS:
            users = users_within(LIMIT_S, machine, load, servers)
            some = max(1, users)
            seconds = enough(some, load)
            tally = simulate(machine, some, load, servers=servers, seconds=seconds)
            fleets.append(
                {
                    "gpus": servers,
                    "users": users,
                    "simulated": True,
                    "p99_ms": round(1000 * tally.percentile(0.99)),
                    "capture_p50_s": round(percentile(tally.captures, 0.5), 2),
                    "jobs_in_flight_a_gpu": round(tally.in_flight(seconds) / servers, 1),
                    "rows_a_call": round(tally.rows_a_call, 1),
                }
            )
            print(one["name"], fleets[-1], flush=True)
        each = fleets[-1]["users"] / FLEETS[-1]
        fleets += [{"gpus": n, "users": math.floor(n * each), "simulated": False} for n in LARGER]
        for fleet in fleets:
            fleet["captures_a_minute_beside"] = round(60 * load.captures * fleet["users"], 1)
            hourly = one["usd_per_hour"] * fleet["gpus"]
            fleet["usd_per_1000_user_hours"] = (
                round(1000 * hourly / fleet["users"], 1) if fleet["users"] else None
            )
        kinds.append(
            {
                "gpu": one["name"],
                "captures_a_minute_alone": round(a_minute, 1),
                "usd_per_1000_captures_alone": round(1000 * one["usd_per_hour"] / (60 * a_minute), 2),
                "fleets": fleets,
            }
        )
    return {"assumptions": document, "processor_stages_of": here.name, "kinds": kinds}


def context() -> dict:
    return {
        "commit": provenance.commit(),
        "machine": platform.machine(),
        "load_average_before": provenance.load_average(),
    }


def keep(part: str, found: dict) -> dict:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[part] = found
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return results


def check(seconds: float) -> int:
    before = context()
    with ready_stack() as stack:
        found = before | asyncio.run(compare(stack.triton_grpc, stack.triton, seconds))
    keep("check", found)
    print(capacity_report.comparison(found))
    return 0 if capacity_report.agrees(found) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="compare the simulation with this machine's stack")
    checking.add_argument("--seconds", type=float, default=30, help="of each load (default: %(default)s)")
    commands.add_parser("table", help="simulate the GPUs of gpus.json")
    args = parser.parse_args()
    if args.command == "check":
        return check(args.seconds)
    if not RESULTS.exists():
        raise SystemExit("nothing is measured yet: run `python -m benchmarks.capacity check` first")
    here = capacity_stack.from_json(json.loads(RESULTS.read_text())["check"]["machine"])
    results = keep("table", table(json.loads(GPUS.read_text()), here))
    capacity_report.draw(results, RESULTS.with_suffix(".png"))
    RESULTS.with_suffix(".md").write_text(capacity_report.as_markdown(results))
    return 0


if __name__ == "__main__":
    sys.exit(run("bench-capacity", main))
