"""benchmarks/README.md, generated from a record: no figure in it is typed by hand."""

from pathlib import Path

import numpy as np

from benchmarks.baseline.steps import STEPS
from benchmarks.sessions import plots, verdicts
from benchmarks.sessions.figures import figures, growth_of
from benchmarks.sessions.record import Record
from benchmarks.sessions.servers import BASELINE, LUCY, PIXEL_WORK, STAGES
from benchmarks.verdict import Verdict

README = Path(__file__).resolve().parents[1] / "README.md"
OPENING = """# Measured: Lucy Serve beside the previous backend

*Written by `python -m benchmarks.sessions report` from {files}; do not edit.*

"The previous backend" is a [reimplementation of the one that Lucy Serve replaces](baseline/server.py):
one process, FastAPI, one diffusers pipeline, one inference at a time. It has the same checkpoint, crop
and messages, and the number of torch's threads with which it is fastest. Its keyframes take the {steps}
steps that they have always taken, Lucy Serve's the checkpoint's own: lucy-tiny's pictures gain nothing
by more ([measured](../docs/experiments/light.md#steps)). Equal steps have a verdict of their own. One
client measures both servers within one run, alternating (A B A B), on the same machine as the servers.
The frames are 1280 × 720 and shift a little each time, so that no answer is reused. Machines are noisy:
compare ratios, not times. The previous backend computes in float32, as it always does without a GPU.
Lucy Serve takes the runtime and the precision that are the fastest on this processor ([what that is
worth](../docs/experiments/serving.md)).

| command | |
|---|---|
| `make bench` | all loads, an hour |
| `make bench-quick` | the loads that the verdicts need, three minutes |
| `make bench-batch` | a batch of sixty captures beside two live sessions, four minutes |
| `make bench-stages` | each network beside the least that this processor could take for it, a minute |
| `make bench-soak` | sixteen sessions for ten minutes |
| `make bench-moving` | a person who walks, sways and turns: how far the old frontend's blend, pictures and \
lights lag behind; [figures](results/moving.json), [sheet](results/moving.jpg) |
| `python -m benchmarks.picture.masks --scenes FOLDER` | of the visible garment, what is painted over and \
what is left bare, against the truth of path-traced scenes |
| `python -m benchmarks.photographs.budget FOLDER` | what a true mask and parts of the true light would gain |
| `make bench-hostile` | hostile clients beside honest ones, five minutes; [figures](results/hostile.json) |
| `make perf` | NVIDIA's perf_analyzer on the models |

[docs/performance.md](../docs/performance.md) has a summary, and leads to what was tried and what it gave.
"""
LEGEND = """Latencies are in ms, of the *keyframes* that got a picture by the model, from when one was due (in
closed loop: sent) to having read its picture; of fewer than 100, p99 is nearly the slowest. *Unanswered*
keyframes were replaced by a newer one (as intended), still waited at the end, or got no picture by the model.
*Slowest session* is the worst session's ratio to the median session, by latency or by answers, in its worst
turn. Where a server is not full that is also chance: each session begins at a random moment of the 1.5 s, and
keyframes of one moment wait for each other, every time. Under load Lucy Serve takes fewer *steps*. *CPU s*
counts all the server's processes, including the work
for captures; memory is their proportional set size together.
"""


def write(record: Record, path: Path = README) -> None:
    """Draw the plots and write the page; a record without a comparison is shown below the last one."""
    records = [record]
    if "sessions" not in record.sections and (compared := Record.last_with("sessions", record.path.parent)):
        records.insert(0, compared)
    sections: dict[str, dict] = {}
    drawn: dict[str, str] = {}
    for one in records:
        sections |= one.sections
        drawn |= {name: f"results/{file.name}" for name, file in plots.draw(one).items()}
    files = " and ".join(f"[{one.path.name}](results/{one.path.name})" for one in records)
    parts = [OPENING.format(files=files, steps=STEPS["keyframe"])]
    for name, part in (("sessions", side_by_side), ("soak", soak), ("perf", perf)):
        if name in sections:
            parts.append(part(sections[name], drawn))
    path.write_text("\n".join(parts))


def side_by_side(section: dict, drawn: dict[str, str]) -> str:
    return "\n".join(
        [
            "## Side by side\n",
            origin(section),
            "### Verdicts\n",
            verdict_table(verdicts.side_by_side(section)),
            "### Latency and throughput\n",
            f"![Latency]({drawn['latency']})\n\n![Throughput]({drawn['throughput']})\n",
            LEGEND,
            load_table(section),
            "### Where a lone keyframe's time goes\n",
            stage_table(section),
            "### Start, and growth of cost\n",
            starts(section),
            f"![Growth]({drawn['growth']})\n",
            growth_table(section),
        ]
    )


def soak(section: dict, drawn: dict[str, str]) -> str:
    title = f"## {section['load']['sessions']} sessions for {section['minutes']:g} minutes\n"
    found = figures([section["load"]])
    assert found
    answers = (
        f"{found.answers} pictures, {found.per_second:.1f} a second, p50 {found.percentile(50):.0f} ms, p99 "
        f"{found.percentile(99):.0f} ms, {found.steps:.1f} steps in the mean.\n"
    )
    picture = f"![Latency and memory over time]({drawn['soak']})\n"
    return "\n".join([title, origin(section), verdict_table(verdicts.soak(section)), answers, picture])


def perf(section: dict, drawn: dict[str, str]) -> str:
    origin_and_table = origin(section), table(section["columns"], section["rows"])
    return "\n".join(["## perf_analyzer\n", "Straight to Triton, without the proxy.\n", *origin_and_table])


def origin(section: dict) -> str:
    return (
        f"`{section['command']}`, {section['began']}, commit {section['commit']}; {section['machine']}, "
        f"load average {section['load_average']} before.\n"
    )


def verdict_table(found: list[Verdict]) -> str:
    rows = [(one.demand, one.found, "**met**" if one.met else "**not met**") for one in found]
    return table(("wanted", "found", ""), rows)


def load_table(section: dict) -> str:
    columns = (
        "load", "", "keyframes", "p50", "p90", "p99", "results/s", "unanswered", "slowest session", "steps",
        "CPU s a result", "peak MB", "capture s",
    )  # fmt: skip
    rows = []
    for kind in plots.kinds_of(section):
        for server in (LUCY, BASELINE):
            found = figures(section["loads"], server=server, **kind)
            if found is None:
                continue
            rows.append(
                (
                    plots.describe(kind) if server == LUCY else "",
                    plots.NAMES[server],
                    found.answers,
                    *(_number(found.percentile(percent), "{:.0f}") for percent in (50, 90, 99)),
                    f"{found.per_second:.2f}",
                    f"{found.unanswered:.0%}",
                    _number(found.slowest_session, "{:.2f}"),
                    f"{found.steps:.1f}" if server == LUCY else STEPS["keyframe"],
                    f"{found.cpu_s_per_answer:.2f}",
                    f"{found.peak_memory_mb:.0f}",
                    _number(found.capture_s, "{:.1f}"),
                )
            )
    return table(columns, rows)


def stage_table(section: dict) -> str:
    lone = figures(section["loads"], server=LUCY, sessions=1, loop="closed", captures=0)
    if lone is None or not lone.answers:
        return "Not measured.\n"
    stages = lone.stage_ms()
    rest = lone.mean_ms - sum(stages.values())
    rows = [
        (f"`{name}`", f"{stages[name]:.1f}", f"{stages[name] / lone.mean_ms:.0%}")
        for name in STAGES + PIXEL_WORK
    ]
    rows.append(
        ("all else: socket, JSON, gRPC, between the models", f"{rest:.1f}", f"{rest / lone.mean_ms:.0%}")
    )
    rows.append(("**socket to socket, mean**", f"**{lone.mean_ms:.1f}**", ""))
    return table(("model", "ms a keyframe", "share"), rows)


def starts(section: dict) -> str:
    lines = []
    for server, seconds in section["ready_s"].items():
        told = ", ".join(f"{s:.1f}" for s in seconds)
        lines.append(f"- {plots.NAMES[server]}: ready {told} s after its command.")
    if "export_s" in section:
        lines.append(f"- `make export` takes {section['export_s']:.0f} s.")
    threads = ", ".join(f"{count}: {ms:.0f} ms" for count, ms in section["old_way_threads"].items())
    lines.append(f"- The previous backend's best lone keyframe by torch's threads: {threads}.")
    lines += [f"- Failed: {failure}" for failure in section["failures"]]
    return "\n".join(lines) + "\n"


def growth_table(section: dict) -> str:
    rows = []
    for variable, name in (("height", "frame of {:.0f} × {}"), ("steps", "{1} steps")):
        ours, theirs = (growth_of(section, server, variable) for server in (LUCY, BASELINE))
        for value in ours:
            rows.append(
                (name.format(value * 16 / 9, value), f"{ours[value]:.0f}", f"{theirs.get(value, np.nan):.0f}")
            )
    return table(
        ("a lone keyframe", f"{plots.NAMES[LUCY]}, p50 ms", f"{plots.NAMES[BASELINE]}, p50 ms"), rows
    )


def table(columns: tuple[str, ...] | list[str], rows: list) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def _number(value: float, form: str) -> str:
    return form.format(value) if np.isfinite(value) else "–"
