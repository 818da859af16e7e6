"""Figures of one load, computed from its raw measurements."""

from dataclasses import dataclass, field

import numpy as np

from benchmarks.sessions.servers import PIXEL_WORK, STAGES


@dataclass(frozen=True)
class Figures:
    """turns: records of `load.run` with the same load on the same server."""

    turns: list[dict] = field(repr=False)

    @property
    def answers(self) -> int:
        return sum(len(latencies) for turn in self.turns for latencies in turn["latencies_ms"])

    @property
    def latencies(self) -> np.ndarray:
        """Milliseconds, over all turns and sessions."""
        return np.concatenate([np.array(one, float) for turn in self.turns for one in turn["latencies_ms"]])

    def percentile(self, percent: float) -> float:
        """Milliseconds; NaN if nothing was answered."""
        return float(np.percentile(self.latencies, percent)) if self.answers else float("nan")

    @property
    def per_second(self) -> float:
        """Pictures by the model per second, within the time of the load."""
        within = sum(
            at <= turn["seconds"] for turn in self.turns for times in turn["answered_at_s"] for at in times
        )
        return within / sum(turn["seconds"] for turn in self.turns)

    @property
    def unanswered(self) -> float:
        """The share of keyframes without a picture by the model: replaced by a newer keyframe, still
        waiting at the end, or answered in another way."""
        sent = sum(sum(turn["sent"]) for turn in self.turns)
        return 1 - self.answers / sent if sent else float("nan")

    @property
    def slowest_session(self) -> float:
        """The worst session's ratio to the median session, by median latency or by number of answers,
        whichever is worse: 1 is fair, infinite means that a session got no answer."""
        worst = 1.0
        for turn in self.turns:
            counts = [len(latencies) for latencies in turn["latencies_ms"]]
            if not min(counts):
                return float("inf")
            medians = [float(np.median(latencies)) for latencies in turn["latencies_ms"]]
            worst = max(worst, max(medians) / np.median(medians), np.median(counts) / min(counts))
        return worst

    @property
    def steps(self) -> float:
        """Mean denoising steps per answer; 0 if the server does not report them."""
        counts = [(int(steps), count) for turn in self.turns for steps, count in turn["steps"].items()]
        return sum(steps * count for steps, count in counts) / max(1, sum(count for _, count in counts))

    @property
    def cpu_s_per_answer(self) -> float:
        """Processor seconds of the server's processes per answer; concurrent captures are included."""
        return sum(turn["cpu_s"] for turn in self.turns) / max(1, self.answers)

    @property
    def peak_memory_mb(self) -> float:
        return max(mb for turn in self.turns for _, mb in turn["memory_mb"])

    @property
    def capture_s(self) -> float:
        """Median seconds; NaN if no capture was finished."""
        seconds = [s for turn in self.turns for s in turn["capture_s"]]
        return float(np.median(seconds)) if seconds else float("nan")

    def stage_ms(self) -> dict[str, float]:
        """Triton's compute time per answer, by model; only meaningful for one session, without batches."""
        totals = {
            name: sum(turn["stage_s"].get(name, 0) for turn in self.turns) for name in STAGES + PIXEL_WORK
        }
        return {name: 1000 * total / max(1, self.answers) for name, total in totals.items()}

    @property
    def mean_ms(self) -> float:
        return float(self.latencies.mean())


def figures(loads: list[dict], **wanted: object) -> Figures | None:
    """Figures of the loads with these fields; None if there are none."""
    turns = [load for load in loads if all(load[name] == value for name, value in wanted.items())]
    return Figures(turns) if turns else None


def growth_of(section: dict, server: str, variable: str) -> dict[int, float]:
    """Median latency in ms by the value of `height` or `steps`."""
    found: dict[int, list[float]] = {}
    for row in section["growth"]:
        if row["server"] == server and variable in row:
            found.setdefault(row[variable], []).extend(row["latencies_ms"])
    return {value: float(np.median(latencies)) for value, latencies in sorted(found.items())}
