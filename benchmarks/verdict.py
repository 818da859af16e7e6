"""A demand, what was found, and whether it is met."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    demand: str
    found: str
    met: bool


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    for verdict in verdicts:
        print(f"{'met    ' if verdict.met else 'NOT MET'}  {verdict.demand}: {verdict.found}")
