"""Runs each step in a process of its own, under its own limit, and keeps the report current.

A step that hangs or crashes takes nothing with it but its own process group: a fault on a GPU spoils the
process that meets it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_proof.figures import FIGURES, Report, StepReport, write_json
from benchmarks.gpu_proof.plan import Step

_LEAST_S = 3.0  # with less than that a step is not begun
_GRACE_S = 5.0
_LOG_LINES = 200  # of each log that are taken home
REPORT = "report.json"


@dataclass(frozen=True)
class Runner:
    """
    work: a folder for what steps write: a JSON and a log each, and what they start.
    results: the folder of what is taken home: report.json, and the end of every log.
    options: of `python -m benchmarks.gpu_proof`, which each step gets.
    command: what runs a step; tests give another.
    """

    work: Path
    results: Path
    options: Sequence[str]
    command: Sequence[str] = (sys.executable, "-m", "benchmarks.gpu_proof", "step")

    def run(self, steps: Sequence[Step], report: Report, seconds: float) -> Report:
        """Adds the steps to the report. No step goes on after `seconds`."""
        for folder in (self.work, self.results):
            folder.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + seconds
        for step in steps:
            report.steps = [it for it in report.steps if it.name != step.name]
            left = deadline - time.monotonic()
            lacking = step.needs is not None and not any(
                it.name == step.needs and it.state == "done" for it in report.steps
            )
            if lacking:
                done = self._left_out(step, f"it needs the step {step.needs}, which has not been done")
            elif left < _LEAST_S:
                done = self._left_out(step, "no time was left")
            else:
                done = self._run(step, min(step.limit_s, left))
            report.steps.append(done)
            self._write(report)
            print(f"{step.name}: {done.state}, {done.seconds:.1f} s{_told(done)}", flush=True)
        return report

    def _run(self, step: Step, limit_s: float) -> StepReport:
        path, log = self.work / f"{step.name}.json", self.work / f"{step.name}.log"
        path.unlink(missing_ok=True)
        began = time.monotonic()
        folders = (f"--work={self.work}", f"--results={self.results}")
        command = [*self.command, step.name, *folders, f"--limit={limit_s:.1f}"]
        with log.open("w") as output:
            process = subprocess.Popen(
                [*command, *self.options],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                status: int | None = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                _end(process)
        seconds = round(time.monotonic() - began, 1)
        error = None
        if status is None:
            error = f"it was ended after {limit_s:.0f} s"
        elif status:
            lines = log.read_text(errors="replace").strip().splitlines()
            error = (lines[-1] if lines else f"exit status {status}")[:1000]
        written = _read(path)
        return StepReport(
            name=step.name,
            state="timed out" if status is None else "failed" if status else "done",
            seconds=seconds,
            limit_s=round(limit_s, 1),
            error=error,
            faults=written.get("faults", []),
            figures=written.get("figures") or FIGURES[step.name]().model_dump(),
        )

    def _write(self, report: Report) -> None:
        for folder in (self.work, self.results):
            write_json(folder / REPORT, report)
        logs = [
            f"=== {path.relative_to(self.work)}\n{_end_of(path)}" for path in sorted(self.work.rglob("*.log"))
        ]
        (self.results / "logs.txt").write_text("\n".join(logs))

    @staticmethod
    def _left_out(step: Step, reason: str) -> StepReport:
        figures = FIGURES[step.name]().model_dump()
        return StepReport(
            name=step.name, state="left out", seconds=0, limit_s=step.limit_s, error=reason, figures=figures
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the step's whole process group: with time for its server to end, and at last by force."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        if process.poll() is not None and not _group_lives(process.pid):
            return


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])


def _read(path: Path) -> dict:
    try:
        found: dict = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found


def _told(step: StepReport) -> str:
    told = [f" ({step.error})" if step.error else "", *(f"\n  {fault}" for fault in step.faults)]
    return "".join(told)
