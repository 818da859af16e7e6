"""PNG plots of a record, in its folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from benchmarks.sessions.figures import Figures, figures, growth_of
from benchmarks.sessions.record import Record
from benchmarks.sessions.servers import BASELINE, LUCY

COLOURS = {LUCY: "#1f5fa8", BASELINE: "#c2571a"}
NAMES = {LUCY: "Lucy Serve", BASELINE: "the previous backend"}
WINDOW_S = 15  # of the soak's running medians


def draw(record: Record) -> dict[str, Path]:
    """Draw a plot for each section of the record; returns the files by name."""
    plots: dict[str, Callable[[dict], plt.Figure]] = {}
    if "sessions" in record.sections:
        plots |= {"latency": latency, "throughput": throughput, "growth": growth}
    if "soak" in record.sections:
        plots["soak"] = soak
    drawn = {}
    for name, plot in plots.items():
        figure = plot(record.sections["soak" if name == "soak" else "sessions"])
        drawn[name] = record.path.with_name(f"{record.path.stem}-{name}.png")
        figure.savefig(drawn[name], dpi=110)
        plt.close(figure)
    return drawn


def latency(section: dict) -> plt.Figure:
    """Spread of the latencies of every load: p50 as a dot, a line from p10 to p99."""
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.42 * len(kinds_of(section))), layout="constrained")
    for at, server, found in _rows(axes, section, 0.14):
        if found.answers:
            low, middle, high = (found.percentile(p) for p in (10, 50, 99))
            axes.plot([low, high], [at, at], color=COLOURS[server], linewidth=2, alpha=0.6)
            axes.plot(middle, at, "o", color=COLOURS[server], markersize=5)
    axes.set_xscale("log")
    ticks = [100, 200, 300, 500, 1000, 2000, 5000, 10000]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("from sending a keyframe to its picture, ms (logarithmic): p50, and p10 to p99")
    axes.set_title("Latency of keyframes, socket to socket")
    _legend(axes)
    return figure


def throughput(section: dict) -> plt.Figure:
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.42 * len(kinds_of(section))), layout="constrained")
    for at, server, found in _rows(axes, section, 0.18):
        bar = axes.barh(at, found.per_second, height=0.34, color=COLOURS[server])
        axes.bar_label(bar, [f"{found.per_second:.1f}"], padding=3, fontsize=8)
    axes.margins(x=0.1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("pictures by the model, a second, all sessions together")
    axes.set_title("Throughput of keyframes")
    _legend(axes)
    return figure


def _rows(axes: Axes, section: dict, offset: float) -> Iterator[tuple[float, str, Figures]]:
    """Each load's figures by server, with their vertical position; labels the axis with the loads."""
    kinds = kinds_of(section)
    for row, kind in enumerate(kinds):
        for at, server in ((row - offset, LUCY), (row + offset, BASELINE)):
            if found := figures(section["loads"], server=server, **kind):
                yield at, server, found
    axes.set_yticks(range(len(kinds)), [describe(kind) for kind in kinds])
    axes.invert_yaxis()


def growth(section: dict) -> plt.Figure:
    """How the latency of a single keyframe grows with frame size and steps."""
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    labels = {"height": "height of a 16:9 frame, pixels", "steps": "denoising steps of a keyframe"}
    for axes, (variable, label) in zip(panels, labels.items(), strict=True):
        for server in (LUCY, BASELINE):
            medians = growth_of(section, server, variable)
            if not medians:
                continue  # the run was interrupted
            axes.plot(*zip(*medians.items(), strict=True), "o-", color=COLOURS[server])
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
    panels[0].set_ylim(bottom=0)  # after everything is drawn: both panels share it
    panels[0].set_ylabel("p50 of a lone keyframe, ms")
    _legend(panels[1])
    return figure


def soak(section: dict) -> plt.Figure:
    load = section["load"]
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 5), sharex=True, layout="constrained")
    for times, latencies in zip(load["answered_at_s"], load["latencies_ms"], strict=True):
        minutes, medians = _running_median(np.array(times), np.array(latencies))
        above.plot(minutes, medians, color=COLOURS[LUCY], linewidth=0.8, alpha=0.6)
    above.set_ylabel("latency, ms")
    above.set_title(
        f"{load['sessions']} sessions, a keyframe each 1.5 s: medians of {WINDOW_S} s, a line a session"
    )
    at, memory = np.array(load["memory_mb"]).T
    below.plot(at / 60, memory, color=COLOURS[LUCY])
    below.set_ylabel("memory, all processes, MB")
    below.set_xlabel("minutes")
    for axes in (above, below):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    return figure


def _running_median(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = np.arange(0, times.max(initial=0) + WINDOW_S, WINDOW_S)
    windows = [values[(times >= edge) & (times < edge + WINDOW_S)] for edge in edges]
    kept = [(edge, np.median(window)) for edge, window in zip(edges, windows, strict=True) if len(window)]
    if not kept:
        return np.array([]), np.array([])
    at, medians = np.array(kept).T
    return (at + WINDOW_S / 2) / 60, medians


def kinds_of(section: dict) -> list[dict]:
    """The loads that were measured, in order."""
    kinds = [{name: load[name] for name in ("loop", "captures", "sessions")} for load in section["loads"]]
    return [kind for number, kind in enumerate(kinds) if kind not in kinds[:number]]


def describe(kind: dict) -> str:
    sessions = f"{kind['sessions']} session{'s' * (kind['sessions'] > 1)}"
    beside = f", {kind['captures']} capture{'s' * (kind['captures'] > 1)} beside" if kind["captures"] else ""
    return f"{sessions}, {kind['loop']} loop{beside}"


def _legend(axes: Axes) -> None:
    handles = [plt.Line2D([], [], color=COLOURS[name], linewidth=3, label=NAMES[name]) for name in COLOURS]
    axes.legend(handles=handles, loc="best", fontsize=9)
