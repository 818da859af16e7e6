"""A report as Markdown, for docs/gpu.md."""

from pathlib import Path
from typing import Any

from benchmarks.gpu_proof.figures import Report


def table(path: Path) -> str:
    report = Report.model_validate_json(path.read_text())
    figures = {step.name: step.figures for step in report.steps}
    device, versions = report.device, report.versions
    head = (
        f"{device['name']}, {report.networks}, {report.began[:10]}, commit {report.commit}, "
        f"torch {versions['torch']}"
    )
    rows = [("figure", "target", "measured"), ("---", "---", "---")]
    serving = figures.get("serving", {})
    rows += [
        ("keyframe, socket to socket, p50", "≤ 60 ms", _ms(serving.get("keyframe_p50_ms"))),
        ("keyframe, socket to socket, p95", "", _ms(serving.get("keyframe_p95_ms"))),
        ("capture, 25 guided steps, p50", "≤ 450 ms", _ms(serving.get("capture_p50_ms"))),
    ]
    rows += [
        (
            f"UNet, {call['rows']} rows, as a graph (floor {_ms(call['floor_ms'])})",
            "≤ 2 × its floor",
            _over(call),
        )
        for call in figures.get("networks", {}).get("calls", [])
        if call["network"] == "unet"
    ]
    rows += [
        (
            f"{load['sockets']} sockets and a capture: rows a call; p99",
            "≥ 4" if load["sockets"] == 16 else "",
            f"{_number(load['rows_a_call'])}; {_ms(load['p99_ms'])}",
        )
        for load in figures.get("sockets", {}).get("loads", [])
    ]
    rows += [
        (f"lucy-tiny, {it['steps']} steps: PSNR to the CPU's picture", "≥ 40 dB", f"{it['psnr_db']:.1f} dB")
        for it in figures.get("parity", {}).get("pictures", [])
    ]
    rows += [
        (f"a call of {it['rows']} rows, {it['way']}", "", _ms(it["p50_ms"]))
        for it in figures.get("hops", {}).get("hops", [])
    ]
    trained = figures.get("training", {}).get("samples_per_s")
    rows.append(("training of lucy-tiny", "", "–" if trained is None else f"{trained:.0f} samples/s"))
    missing = [
        f"- {step.name}: {step.state}{f', {step.error}' if step.error else ''}"
        for step in report.steps
        if step.state != "done"
    ]
    missing += [f"- {step.name}: {fault}" for step in report.steps for fault in step.faults]
    body = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return "\n\n".join(filter(None, [head, body, "\n".join(missing)]))


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} ms"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _over(call: dict[str, Any]) -> str:
    if call["graph_ms"] is None:
        return "–"
    return f"{_ms(call['graph_ms'])}, {call['graph_ms'] / call['floor_ms']:.1f} ×"
