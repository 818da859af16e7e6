"""Figures of one load, from the raw measurements of its turns."""

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
        """ms, of all turns and sessions."""
        return np.concatenate([np.array(one, float) for turn in self.turns for one in turn["latencies_ms"]])

    def percentile(self, percent: float) -> float:
        """ms; not a number where nothing was answered."""
        return float(np.percentile(self.latencies, percent)) if self.answers else float("nan")

    @property
    def per_second(self) -> float:
        """Pictures by the model within the time of the load."""
        within = sum(
            at <= turn["seconds"] for turn in self.turns for times in turn["answered_at_s"] for at in times
        )
        return within / sum(turn["seconds"] for turn in self.turns)

    @property
    def unanswered(self) -> float:
        """Share of the keyframes sent that got no picture by the model: replaced by a newer one, still
        waiting at the end, or answered otherwise."""
        sent = sum(sum(turn["sent"]) for turn in self.turns)
        return 1 - self.answers / sent if sent else float("nan")

    @property
    def slowest_session(self) -> float:
        """How far the worst session is from the median one, by its median latency or by its number of
        answers, whichever is worse: 1 is fair, infinite where a session got none."""
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
        """Mean denoising steps of an answer; 0 where the server does not tell."""
        counts = [(int(steps), count) for turn in self.turns for steps, count in turn["steps"].items()]
        return sum(steps * count for steps, count in counts) / max(1, sum(count for _, count in counts))

    @property
    def cpu_s_per_answer(self) -> float:
        """Processor seconds of the server's processes; captures beside the keyframes are in it."""
        return sum(turn["cpu_s"] for turn in self.turns) / max(1, self.answers)

    @property
    def peak_memory_mb(self) -> float:
        return max(mb for turn in self.turns for _, mb in turn["memory_mb"])

    @property
    def capture_s(self) -> float:
        """Median; not a number where none was finished."""
        seconds = [s for turn in self.turns for s in turn["capture_s"]]
        return float(np.median(seconds)) if seconds else float("nan")

    def stage_ms(self) -> dict[str, float]:
        """What Triton computed for one answer, by model; meaningful without batches, for one session."""
        totals = {
            name: sum(turn["stage_s"].get(name, 0) for turn in self.turns) for name in STAGES + PIXEL_WORK
        }
        return {name: 1000 * total / max(1, self.answers) for name, total in totals.items()}

    @property
    def mean_ms(self) -> float:
        return float(self.latencies.mean())


def figures(loads: list[dict], **wanted: object) -> Figures | None:
    """Of the loads with these fields; None where there is none."""
    turns = [load for load in loads if all(load[name] == value for name, value in wanted.items())]
    return Figures(turns) if turns else None
