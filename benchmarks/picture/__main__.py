"""`make bench-picture`: is the picture right? Measured on generated people with known ground truth.

    make bench-picture                                  # everything; starts the stack for the last part
    python -m benchmarks.picture --no-stack             # without the checkpoint

The stages run in this process with two stand-ins for the model: one returns its input (neutral light), one
returns the photograph (the ideal). Then the checkpoint itself runs on the real Triton. Writes contact sheets
and `picture.json` to build/benchmarks/picture/.
"""

import argparse
import asyncio
import json
import platform
import re
import statistics
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.command_line import run
from benchmarks.picture import metrics
from benchmarks.picture.cases import Case, cases, webcam_scenes
from benchmarks.picture.pipeline import Dressed, dress, photographer, unchanged
from benchmarks.picture.sheet import write_sheet
from benchmarks.picture.stack import through_the_stack

_LEAST_IOU = {"transparent": 0.95, "lost pose": 0.95, "portrait": 0.95, "misregistered 5 %": 0.85}
_LARGEST = {"colour": 6.0, "seam": 1.1, "outline": 1.1, "flicker": 1.3, "p50": 25.0}


def measure(case: Case) -> tuple[dict[str, object], Dressed]:
    """The case's figures, and its result with the ideal model."""
    neutral = dress(case.camera_frame, case.jacket_render, case.pose, unchanged)
    garment = neutral.garment
    whole = (0, 0, *neutral.frame.shape[1::-1])
    discs = neutral.pose.head.within(whole)
    for hand in neutral.pose.hands:
        discs |= hand.palm.within(whole)
    discs = discs.view(bool)
    figures: dict[str, object] = {
        "kind": case.name,
        "mask_source": garment.source,
        "reason": garment.reason,
        "fit": garment.registration.fit,
        "outside": metrics.changed_share(neutral.answer, neutral.frame, garment.mask == 0),
        "discs": metrics.changed_share(neutral.answer, neutral.frame, discs),
    }
    if case.least_iou is None:
        figures["repainted"] = float((neutral.answer != neutral.frame).any(axis=2).mean())
        return figures, neutral
    figures["iou"] = metrics.iou(garment.mask, case.mask)
    inside = cv2.erode(cv2.min(case.mask, garment.mask), np.ones((9, 9), np.uint8)) > 250
    if garment.registration.fit.endswith("corrected"):  # the garment was moved: pixels cannot be compared
        return figures, neutral
    if inside.any():
        figures["colour"] = metrics.colour_difference(neutral.answer, case.garment, inside)
        figures["detail"] = metrics.detail_ratio(neutral.answer, case.garment, inside)
    if case.target is None or not inside.any():
        return figures, neutral
    ideal = dress(case.camera_frame, case.jacket_render, case.pose, photographer(case.target))
    seams = {
        name: metrics.seam_ratio(picture, case.mask)
        for name, picture in (
            ("answer", ideal.answer),
            ("photograph", case.target),
            ("naive", ideal.composite),
        )
    }
    figures["seam"] = seams["answer"] / seams["photograph"]
    steep = [metrics.edge_steepness(picture, case.mask) for picture in (ideal.answer, case.target)]
    figures["outline"] = steep[0] / steep[1]
    figures["naive_seam"] = seams["naive"] / seams["photograph"]
    return figures, ideal


def verdicts(
    figures: dict[str, dict[str, float]], steps: dict[str, dict[str, float]], stack: dict | None
) -> dict[str, bool]:
    """Whether each demand is met, judged by the means of each kind."""

    def all_of(key: str) -> list[float]:
        return [row[key] for row in figures.values() if key in row]

    met = {
        "outside the garment: the camera's, bit for bit": max(all_of("outside")) == 0,
        "head and hand discs: the camera's, bit for bit": max(all_of("discs")) == 0,
        "a flat picture repaints nothing": max(all_of("repainted")) == 0,
        "colour of the cloth, mean ΔE2000 ≤ 6": max(all_of("colour")) <= _LARGEST["colour"],
        "detail of the cloth, 0.6 to 1.6 of the render's": all(0.6 <= d <= 1.6 for d in all_of("detail")),
    }
    for kind, row in figures.items():
        if "iou" in row:
            least = _LEAST_IOU.get(kind, 0.90)
            met[f"IoU, {kind} ≥ {least:.2f}"] = row["iou"] >= least
        if "seam" in row:
            met[f"seam, {kind} ≤ 1.1 of the photograph's"] = row["seam"] <= _LARGEST["seam"]
            met[f"seam, {kind}: better than the naive composite's"] = row["seam"] < row["naive_seam"]
            met[f"outline, {kind}: ≤ 1.1 as hard as the photograph's"] = row["outline"] <= _LARGEST["outline"]
    for kind, times in steps.items():
        met[f"pre- and postprocess, {kind} ≤ 25 ms p50"] = times["total"] <= _LARGEST["p50"]
    if stack:
        met["flicker ≤ 1.3 of the photograph's, every scene"] = (
            max(stack["flicker_to_photograph"]) <= _LARGEST["flicker"]
        )
        met["the same keyframe twice: the same bytes"] = stack["static_identical"]
        met["a capture of 1280×720 keeps the render's detail, 0.6 to 1.6"] = (
            0.6 <= stack["capture_detail"] <= 1.6
        )
    return met


def time_steps(chosen: list[Case], rounds: int) -> dict[str, dict[str, float]]:
    """Median milliseconds on one core, by kind and step."""
    cv2.setNumThreads(1)
    table = {}
    for case in chosen:
        runs = [
            dress(case.camera_frame, case.jacket_render, case.pose, unchanged).steps for _ in range(rounds)
        ]
        medians = {step: statistics.median(run[step] for run in runs) for step in runs[0]}
        medians["total"] = statistics.median(sum(run.values()) for run in runs)
        table[case.name] = {step: round(value, 2) for step, value in medians.items()}
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--no-stack", action="store_true", help="leave the real checkpoint out")
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks/picture"))
    args = parser.parse_args()

    found = cases(args.scenes)
    rows, sheets = [], {}
    for case in found:
        figures, dressed = measure(case)
        rows.append(figures)
        sheets.setdefault(case.name, []).append((case, dressed))
    timed = {"transparent", "opaque over video", "opaque, plane of 0.8", "two people"}
    steps = time_steps([c for c in found[: 1 + 8] if c.name in timed], 31)
    stack = None
    if not args.no_stack:
        with tempfile.TemporaryDirectory() as folder:
            stack, pictures = asyncio.run(through_the_stack(webcam_scenes(3), Path(folder)))
        write_sheet(pictures, args.output / "checkpoint.png")
    for kind, entries in sheets.items():
        write_sheet(
            [
                [d.frame, cv2.imdecode(c.jacket_render, cv2.IMREAD_COLOR), d.composite, d.answer]
                + ([] if c.target is None else [c.target])
                for c, d in entries[:4]
            ],
            args.output / f"{re.sub(r'[^a-z0-9.]+', '_', kind.lower())}.png",
        )
    figures = means(rows)
    report = {
        "machine": f"{platform.machine()}, one core",
        "scenes": args.scenes,
        "met": verdicts(figures, steps, stack),
        "means": figures,
        "steps_ms": steps,
        "stack": stack,
    }
    (args.output / "picture.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    print(json.dumps(report, indent=2, ensure_ascii=False))


def means(rows: list[dict]) -> dict[str, dict[str, float]]:
    """By kind: the mean of each figure."""
    table: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for key, value in row.items():
            if isinstance(value, float):
                table.setdefault(row["kind"], {}).setdefault(key, []).append(value)
    return {
        kind: {key: round(float(np.mean(values)), 4) for key, values in figures.items()}
        for kind, figures in table.items()
    }


if __name__ == "__main__":
    sys.exit(run("bench-picture", main))
