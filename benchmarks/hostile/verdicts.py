"""What the server has to show under attack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.hostile.connection import NOT_REFUSED
from benchmarks.hostile.honest import Seen
from benchmarks.sessions.load import INTERVAL_S
from benchmarks.verdict import Verdict

SLOWER_AT_MOST = 2.0
HEALTH_MS = 250
GROWTH_AT_MOST = 0.10  # of the median memory, from the second quarter of the attack to its last
PEAK_MB = 2048  # above the level without hostile clients; docs/security.md tells operators to provide it
LEVEL_AFTER = 60  # samples, one a second: in a shorter attack the buffers only fill
_FAULTY_CODES = {"INTERNAL", "INFERENCE_FAILED", "TIMEOUT", "ws 1011"}  # what 500, 502, 504 are on a socket


@dataclass(frozen=True)
class Measured:
    """without, during: what the honest clients saw before and during the attack.

    level_mb: memory of all processes before; attack_mb: its samples during the attack, in order.
    outcomes: of the hostile attempts, by kind. endless: the kinds that must be refused.
    restarted: the processes that are not the same as before.
    """

    without: Seen
    during: Seen
    level_mb: float
    attack_mb: Sequence[float]
    outcomes: Mapping[str, Mapping[str, int]]
    endless: frozenset[str]
    restarted: Sequence[str]


def judge(measured: Measured) -> list[Verdict]:
    without, during = measured.without, measured.during
    before, beside = without.percentile(99), during.percentile(99)
    slowest, p99 = during.health_percentile(100), during.health_percentile(99)
    failures = without.failures + during.failures
    faults = _counted(measured.outcomes, is_fault)
    unrefused = _counted(
        {kind: found for kind, found in measured.outcomes.items() if kind in measured.endless},
        NOT_REFUSED.__eq__,
    )
    return [
        Verdict(
            f"honest keyframes' p99 at most {SLOWER_AT_MOST:g} times that without hostile clients",
            f"{beside / before:.2f} times: {beside:.0f} and {before:.0f} ms{_busy(without)}",
            beside <= SLOWER_AT_MOST * before,
        ),
        Verdict(
            f"/health always within {HEALTH_MS} ms",
            f"p99 {p99:.0f} ms, longest {slowest:.0f} ms",
            slowest < HEALTH_MS,
        ),
        *memory(measured.level_mb, measured.attack_mb),
        Verdict("honest clients get no error", _listed(failures), not failures),
        Verdict("hostile clients get no 500, 502 or 504", _listed(faults), not faults),
        Verdict("whatever has no end is refused", _listed(unrefused), not unrefused),
        Verdict(
            "the proxy and Triton run through",
            ", ".join(measured.restarted) or "they do",
            not measured.restarted,
        ),
    ]


def _busy(without: Seen) -> str:
    """A note where the honest clients alone were too much for this machine: a ratio then says little."""
    if without.percentile(50) < 1000 * INTERVAL_S:
        return ""
    return " (but it was overloaded before the attack: other work ran on this machine)"


def memory(level_mb: float, samples: Sequence[float]) -> list[Verdict]:
    """How far memory rises during the attack, and whether it stays level in one of a minute or longer."""
    peak = max(samples)
    verdicts = [
        Verdict(
            f"memory never more than {PEAK_MB} MB above that without hostile clients",
            f"{level_mb:.0f} MB, at most {peak:.0f} MB",
            peak <= level_mb + PEAK_MB,
        )
    ]
    if len(samples) >= LEVEL_AFTER:
        _, early, _, late = (float(np.median(part)) for part in np.array_split(samples, 4))
        demand = f"memory level: in the attack's last quarter at most {GROWTH_AT_MOST:.0%} above the second"
        found = f"{early:.0f} MB, then {late:.0f} MB"
        verdicts.append(Verdict(demand, found, late <= (1 + GROWTH_AT_MOST) * early))
    return verdicts


def is_fault(outcome: str) -> bool:
    """A 5xx other than a 503 with Retry-After, or what says the same on a socket."""
    return (outcome[:1] == "5" and outcome != "503") or outcome in _FAULTY_CODES


def _counted(outcomes: Mapping[str, Mapping[str, int]], wanted) -> dict[str, int]:
    return {
        f"{kind}: {outcome}": count
        for kind, found in outcomes.items()
        for outcome, count in found.items()
        if wanted(outcome)
    }


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} × {what}" for what, count in counts.items()) or "none"
