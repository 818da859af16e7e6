"""All hostile clients for some seconds, in a process of its own: their work is not the honest clients'.

The benchmark starts it; it waits for a line on its standard input before it attacks, and writes what came of
every attempt as JSON.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.hostile.clients.client import HostileClient
from benchmarks.hostile.kinds import named
from benchmarks.hostile.target import SOURCES, Target

KEY = "HOSTILE_KEY"  # the environment variable with the API key
LEFT_OUT, GAVE_UP = "left out", "gave up"
_NICE = 10  # attackers have machines of their own: here they yield the processor to the server
_STARTED_WITHIN_S = 5.0  # so that a short run has every kind

Outcomes = dict[str, Counter[str]]  # by kind


async def attack(
    target: Target, kinds: Sequence[HostileClient], seconds: float, sources: Sequence[str] = SOURCES
) -> Outcomes:
    """Every kind at its pace, each attempt from the next of `sources`. Attempts still in progress at the end
    are cancelled and not counted."""
    outcomes: Outcomes = {kind.name: Counter() for kind in kinds}
    until = time.monotonic() + seconds
    await asyncio.gather(
        *(
            _repeat(target, kind, sources, until, number / len(kinds), outcomes[kind.name])
            for number, kind in enumerate(kinds)
        )
    )
    return outcomes


async def _repeat(
    target: Target,
    kind: HostileClient,
    sources: Sequence[str],
    until: float,
    phase: float,
    outcomes: Counter[str],
) -> None:
    """phase: 0 to 1, when in its first period the kind begins."""
    due = time.monotonic() + phase * min(kind.period_s, _STARTED_WITHIN_S)
    attempts: set[asyncio.Task[None]] = set()
    for source in itertools.cycle(sources):
        if due >= until:
            break
        await asyncio.sleep(due - time.monotonic())
        due += kind.period_s
        if len(attempts) >= kind.at_once:
            outcomes[LEFT_OUT] += 1
            continue
        attempt = asyncio.create_task(_attempt(target, kind, source, outcomes))
        attempts.add(attempt)
        attempt.add_done_callback(attempts.discard)
    await asyncio.sleep(until - time.monotonic())
    for attempt in list(attempts):
        attempt.cancel()
    await asyncio.gather(*attempts, return_exceptions=True)


async def _attempt(target: Target, kind: HostileClient, source: str, outcomes: Counter[str]) -> None:
    try:
        async with asyncio.timeout(kind.within_s):
            outcome = await kind.attempt(target, source)
    except TimeoutError:
        outcome = GAVE_UP
    except OSError as error:  # the connection was refused or reset
        outcome = type(error).__name__
    outcomes[outcome] += 1


class Attack:
    """A running `python -m benchmarks.hostile.attack`, ready to begin."""

    def __init__(self, process: subprocess.Popen[str]):
        self._process = process

    def begin(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()

    def outcomes(self) -> dict[str, dict[str, int]]:
        """Waits for its end. Raises RuntimeError where it failed."""
        written, _ = self._process.communicate(timeout=60)
        if self._process.returncode:
            raise RuntimeError(f"the hostile clients failed with status {self._process.returncode}")
        return json.loads(written)


@contextmanager
def prepared(url: str, key: str, seconds: float, kinds: Sequence[str]) -> Iterator[Attack]:
    """The process, once all its pictures are made."""
    command = [sys.executable, "-m", "benchmarks.hostile.attack", url, f"--seconds={seconds}"]
    command += ["--kinds", *kinds] if kinds else []
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, KEY: key}
    )
    try:
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the hostile clients did not start")
        yield Attack(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile.attack", description=__doc__)
    parser.add_argument("url", help="of a proxy on a loopback address; its API key is in $HOSTILE_KEY")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--kinds", nargs="*", default=[], help="parts of the kinds' names; by default all")
    args = parser.parse_args()
    target, kinds = Target.at(args.url, os.environ.get(KEY, "")), named(args.kinds)
    os.nice(_NICE)
    for kind in kinds:
        kind.prepare()
    print("ready", flush=True)
    if sys.stdin.readline():
        print(json.dumps(asyncio.run(attack(target, kinds, args.seconds))))


if __name__ == "__main__":
    main()
