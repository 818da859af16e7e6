"""The simulation's results as a page and a plot."""

from pathlib import Path

TOLERANCE = 0.2
FLEET_HEAD = (
    "GPU", "GPUs", "users, p99 ≤ 500 ms", "a GPU", "jobs in flight a GPU", "their captures a minute",
    "captures a minute alone", "$ for 1,000 captures alone", "$ for 1,000 user-hours",
)  # fmt: skip
CHECK_HEAD = ("load", "", "measured ms", "simulated ms", "off by", "rows a UNet call, measured", "simulated")


def as_markdown(results: dict) -> str:
    checked, found = results["check"], results["table"]
    assumed = found["assumptions"]
    keyframe, capture = assumed["keyframe"], assumed["capture"]
    return f"""# How many users a GPU carries

*Written by `python -m benchmarks.capacity table` from [capacity.json](capacity.json); do not edit.*

**Simulated; the GPUs' times are assumed.** {assumed["note"]}

{assumed["checkpoint"]}: a keyframe takes {keyframe["steps"]} steps of {keyframe["rows"]} row, a capture
{capture["steps"]} of {capture["rows"]}. A user sends a keyframe every 1.5 s and asks for a capture every two
minutes. `preprocess`, `postprocess` and the overhead outside the stages take as long as on the measured
machine. Every keyframe takes all its steps. The proxy, which takes 2 ms, and the network are left out. A
session stays on one server, and some servers have more sessions than others: the fewer sessions fit on a
GPU, the more this costs. Jobs in flight are the mean at that many users: KEDA's target
(deploy/kubernetes/components/keda). Fleets with a * are extrapolated from the largest simulated one.

{_table(FLEET_HEAD, _fleet_rows(found))}

![Users a GPU; measured and simulated](capacity.png)

## The simulation beside the stack

At commit {checked["commit"]} on {checked["machine"]["cores"]} cores without a GPU, load average
{checked["load_average_before"]} before; {checked["seconds_each"]:g} s of each load. The check is only valid
on a machine without other work, because the simulation assumes none.

{comparison(checked)}
"""


def comparison(checked: dict) -> str:
    off = sum(abs(one) > TOLERANCE for one in _deviations(checked))
    verdict = f"{off} of {len(_deviations(checked))} figures are off by more than {TOLERANCE:.0%}."
    return f"{_table(CHECK_HEAD, _check_rows(checked))}\n\n{verdict}"


def agrees(checked: dict) -> bool:
    return all(abs(one) <= TOLERANCE for one in _deviations(checked))


def _table(head: tuple, rows: list[tuple]) -> str:
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, ("---",) * len(head), *rows))


def _fleet_rows(found: dict) -> list[tuple]:
    return [
        (
            kind["gpu"],
            f"{fleet['gpus']:,}{'' if fleet['simulated'] else ' *'}",
            f"{fleet['users']:,}",
            f"{fleet['users'] / fleet['gpus']:.1f}",
            fleet.get("jobs_in_flight_a_gpu", ""),
            f"{fleet['captures_a_minute_beside']:,.0f}",
            f"{fleet['gpus'] * kind['captures_a_minute_alone']:,.0f}",
            f"{kind['usd_per_1000_captures_alone']:.2f}",
            f"{fleet['usd_per_1000_user_hours']:.0f}" if fleet["users"] else "–",
        )
        for kind in found["kinds"]
        for fleet in kind["fleets"]
    ]


def _check_rows(checked: dict) -> list[tuple]:
    found = iter(_deviations(checked))
    return [
        (
            row["load"] if name == "p50" else "",
            name,
            row[name]["measured_ms"],
            row[name]["simulated_ms"],
            f"{next(found):+.0%}",
            *(row["rows_a_call"].values() if name == "p50" else ("", "")),
        )
        for row in checked["loads"]
        for name in ("p50", "p99")
    ]


def _deviations(checked: dict) -> list[float]:
    """Relative errors of the simulation: p50 and p99 of each load."""
    return [
        row[name]["simulated_ms"] / row[name]["measured_ms"] - 1
        for row in checked["loads"]
        for name in ("p50", "p99")
    ]


def draw(results: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for kind in results["table"]["kinds"]:
        counts = [fleet["gpus"] for fleet in kind["fleets"] if fleet["simulated"]]
        each = [fleet["users"] / fleet["gpus"] for fleet in kind["fleets"] if fleet["simulated"]]
        left.plot(counts, each, "o-", label=kind["gpu"])
    left.set(
        xscale="log",
        xlabel="GPUs",
        ylabel="users a GPU, p99 ≤ 500 ms",
        title="GPUs: assumed times, simulated",
    )
    left.set_xticks(counts, [str(count) for count in counts])
    left.set_yscale("log")
    left.set_xticks([], minor=True)
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("{x:g}")
    left.legend(frameon=False)
    loads = results["check"]["loads"]
    for name, marker in (("p50", "o"), ("p99", "^")):
        points = [(row[name]["measured_ms"], row[name]["simulated_ms"]) for row in loads]
        right.scatter(*zip(*points, strict=True), marker=marker, label=name)
    most = 1.1 * max(max(row["p99"].values()) for row in loads)
    right.plot([0, most], [0, most], "k-", lw=0.8)
    right.fill_between([0, most], [0, 0.8 * most], [0, 1.2 * most], alpha=0.12, label="± 20 %")
    right.set(
        xlabel="measured, ms", ylabel="simulated, ms", title="This machine's stack: measured and simulated"
    )
    right.set_xlim(0, most)
    right.set_ylim(0, most)
    right.legend(frameon=False)
    figure.savefig(path, dpi=90)
