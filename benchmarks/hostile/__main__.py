"""Hostile clients beside honest ones: what one caller can do to the others.

    python -m benchmarks.hostile              # two minutes without hostile clients, two minutes with them
    python -m benchmarks.hostile --quick      # 20 s each: no verdict on whether memory stays level
    python -m benchmarks.hostile --quick --kinds ping multipart    # some kinds alone

Eight honest sessions send a keyframe every 1.5 s from 127.0.0.1. The hostile clients (kinds.py) attack from
127.0.0.2 to 127.0.0.5, at bounded rates, and only the stack that this command starts on loopback. Writes the
figures to benchmarks/results/hostile.json (--quick: to build/benchmarks/hostile/), the server's log to
build/benchmarks/hostile/, and ends with status 1 where a demand is not met.
"""

import argparse
import asyncio
import contextlib
import json
import re
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks import command_line
from benchmarks.hostile.attack import Attack, prepared
from benchmarks.hostile.honest import Seen, phase
from benchmarks.hostile.kinds import named
from benchmarks.hostile.memory import Memory, process_groups
from benchmarks.hostile.verdicts import Measured, judge
from benchmarks.provenance import provenance
from benchmarks.sessions.pictures import Messages, swaying
from benchmarks.verdict import print_verdicts
from tests.stack import Stack, running_stack

RESULTS = Path(__file__).parents[1] / "results" / "hostile.json"
BUILD = Path("build/benchmarks/hostile")
SESSIONS = 8
WARM_UP_S = 6.0
SETTLES_WITHIN_S = 10.0  # after the attack, before the memory is looked at for the last time


async def measure(
    stack: Stack, key: str, attack: Attack, seconds: float
) -> tuple[Seen, Seen, Memory, list[tuple[float, float]]]:
    """What the honest clients saw without and with the attack, and the memory with the times of both phases
    and of the rest after them."""
    messages = Messages(swaying(720))
    memory = Memory(psutil.Process(stack.process.pid))
    await phase(stack.url, key, messages, SESSIONS, WARM_UP_S)
    watching, began = asyncio.create_task(memory.watch()), time.monotonic()
    times, seen = [], []
    for attacked in (False, True):
        start = time.monotonic() - began
        if attacked:
            attack.begin()
        seen.append(await phase(stack.url, key, messages, SESSIONS, seconds))
        times.append((start, start + seconds))
    await asyncio.sleep(SETTLES_WITHIN_S)
    times.append((times[-1][1], time.monotonic() - began))
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    return seen[0], seen[1], memory, times


def run(seconds: float, kinds: list[str], output: Path) -> bool:
    """Whether every demand is met."""
    origin, honest, hostile = provenance(), secrets.token_hex(16), secrets.token_hex(16)
    endless = frozenset(kind.name for kind in named(kinds) if kind.endless)
    BUILD.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder), LOG_LEVEL="warning", API_KEYS=f"{honest},{hostile}") as stack,
    ):
        print("Starting the stack …", flush=True)
        try:
            stack.wait_until(lambda health: health["ai_model_loaded"])
            with prepared(stack.url, hostile, seconds, kinds) as attack:
                before = _identities(stack)
                print(
                    f"{SESSIONS} honest sessions, {seconds:g} s without and {seconds:g} s with …", flush=True
                )
                without, during, memory, times = asyncio.run(measure(stack, honest, attack, seconds))
                outcomes = attack.outcomes()
            restarted = sorted(before.keys() - _identities(stack).keys())
        finally:
            shutil.copy(stack.log, BUILD / "serve.log")
    measured = Measured(
        without=without,
        during=during,
        level_mb=float(np.median(memory.between(*times[0]))),
        attack_mb=memory.between(*times[1]),
        outcomes=outcomes,
        endless=endless,
        restarted=[before[identity] for identity in restarted],
    )
    found = judge(measured)
    document = {
        **origin,
        "seconds": seconds,
        "verdicts": [{"demand": one.demand, "found": one.found, "met": one.met} for one in found],
        "honest": {"without": without.figures(), "during": during.figures()},
        "hostile": outcomes,
        "phases_s": {
            name: [round(at, 1) for at in pair]
            for name, pair in zip(("without", "attack", "after"), times, strict=True)
        },
        "memory_mb": [[at, *groups.values()] for at, groups in memory.samples],
        "memory_columns": ["s", *memory.samples[0][1]],
        "log": _log_lines(BUILD / "serve.log"),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, ensure_ascii=False)
    output.write_text(re.sub(r"\[[\s\d.,]+\]", lambda row: re.sub(r"\s+", " ", row[0]), text) + "\n")
    _print(document)
    print_verdicts(found)
    print(output)
    return all(one.met for one in found)


def _identities(stack: Stack) -> dict[tuple[int, float], str]:
    """The proxy's and Triton's processes, but not the proxy's workers, which may be ended and replaced."""
    groups = process_groups(psutil.Process(stack.process.pid))
    return {
        (process.pid, process.create_time()): f"{process.name()} ({group}) ended"
        for group in ("proxy", "triton")
        for process in groups[group]
    }


def _log_lines(log: Path) -> dict[str, int]:
    """How many lines of the server's log name an exception, by the exception."""
    found: dict[str, int] = {}
    for name in re.findall(r"^(?:\w+\.)*(\w+(?:Error|Exception))\b", log.read_text(errors="replace"), re.M):
        found[name] = found.get(name, 0) + 1
    return found


def _print(document: dict) -> None:
    for name, seen in document["honest"].items():
        print(
            f"{name:8} p50 {seen['p50_ms']} ms, p99 {seen['p99_ms']} ms; {seen['answers']} "
            f"{seen['failures'] or ''}; /health p50 {seen['health_p50_ms']} ms, "
            f"p99 {seen['health_p99_ms']} ms, longest {seen['health_max_ms']} ms"
        )
    for kind, outcomes in document["hostile"].items():
        print(f"  {kind:28} {', '.join(f'{count} × {outcome}' for outcome, count in outcomes.items())}")
    columns = list(zip(*document["memory_mb"], strict=True))[1:]
    for name, values in zip(document["memory_columns"][1:], columns, strict=True):
        print(
            f"  memory of {name:18} {values[0]} MB at first, {max(values)} MB at most, {values[-1]} MB after"
        )
    print(f"  exceptions in the log: {document['log'] or 'none'}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hostile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=120, help="of each phase (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="20 s of each phase")
    parser.add_argument("--kinds", nargs="*", default=[], help="parts of their names; by default all")
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/hostile.json")
    args = parser.parse_args()
    try:
        named(args.kinds)
    except ValueError as error:
        parser.error(str(error))
    output = args.output or (BUILD / "hostile.json" if args.quick else RESULTS)
    return 0 if run(20 if args.quick else args.seconds, args.kinds, output) else 1


if __name__ == "__main__":
    sys.exit(command_line.run("bench-hostile", main))
