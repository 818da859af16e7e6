"""What the doctor looks at and what it reports."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from serving.settings import ServingSettings


@dataclass(frozen=True)
class Finding:
    """One line of the report. state: "fail" keeps the stack from serving; "warn" may do so."""

    subject: str
    state: Literal["ok", "warn", "fail"]
    text: str


@dataclass(frozen=True)
class Machine:
    """The machine and the model repository that are examined."""

    repository: Path
    profile: str
    settings: ServingSettings
    shm: Path = Path("/dev/shm")


def report(findings: list[Finding]) -> str:
    """One line for each finding."""
    marks = {"ok": " ok ", "warn": "WARN", "fail": "FAIL"}
    return "\n".join(f"{marks[it.state]}  {it.subject:<14} {it.text}" for it in findings)
