"""How good and how fast the fabric scan is, compared with the scan that it replaces.

    python -m benchmarks.fabric          # everything, about eight minutes on two cores
    python -m benchmarks.fabric --quick  # fewer photos, no timing
    python -m benchmarks.fabric --only photographed --seed 7  # other tables, cameras, shadows and swatches

Writes each section's figures to benchmarks/results/fabric.json when it ends, and a contact sheet to
build/benchmarks/. Exits with status 1 if a measure is outside its range. The old scan's steps run on the same
photos in the same run.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.command_line import run
from benchmarks.fabric.flash import flash
from benchmarks.fabric.geometry import periods, perspective
from benchmarks.fabric.materials import jpeg, lights, measured
from benchmarks.fabric.metrics import Measure
from benchmarks.fabric.photographed import photographed
from benchmarks.fabric.robustness import robustness
from benchmarks.fabric.speed import serving, speed
from benchmarks.fabric.surface import light, normals, seams
from fabric import scan
from fabric.sheet import contact_sheet

SECTIONS: tuple[Callable[..., Iterator[Measure]], ...] = (
    light, seams, periods, perspective, photographed, flash, normals, robustness, speed, serving,
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fabric", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer photos, no timing")
    parser.add_argument("--only", nargs="*", choices=[s.__name__ for s in SECTIONS], help="some sections")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/fabric.json"))
    parser.add_argument("--seed", type=int, default=1, help="draws the photographed sheets and pairs anew")
    arguments = parser.parse_args()
    measures: list[Measure] = []
    for section in SECTIONS:
        if arguments.only and section.__name__ not in arguments.only:
            continue
        print(f"\n{section.__name__}: {section.__doc__}", flush=True)
        found = []
        seeded = {"seed": arguments.seed} if section in (photographed, flash) else {}
        for measure in section(arguments.quick, **seeded):
            found.append(measure)
            old = f"{measure.old:8.3f}" if measure.old is not None else ""
            limits = f"{measure.low:g} to {measure.high:.4g}"
            verdict = "pass" if measure.passed else "FAIL"
            print(f"  {verdict}  {measure.name:48} {measure.value:8.3f}  ({limits:14}) {old}", flush=True)
        measures += found
        if not arguments.quick:
            _write(arguments.output, section.__name__, found)
    if not arguments.quick and not arguments.only:
        _write_sheet(Path("build/benchmarks/fabric.jpg"))
    failed = [measure.name for measure in measures if not measure.passed]
    print(f"\n{len(measures) - len(failed)} of {len(measures)} in range")
    return 1 if failed else 0


def _write(path: Path, section: str, measures: list[Measure]) -> None:
    """Add a section's figures to the file and keep those of the other sections."""
    document = json.loads(path.read_text()) if path.exists() else {}
    rows = [
        {
            "name": m.name.strip(),
            "value": round(float(m.value), 4),
            "range": [m.low, None if np.isinf(m.high) else round(float(m.high), 4)],
            "old": None if m.old is None else round(float(m.old), 4),
            "passed": m.passed,
        }
        for m in measures
    ]
    document |= {
        "command": "python -m benchmarks.fabric",
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "opencv": cv2.__version__,
        },
        section: rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _write_sheet(path: Path) -> None:
    """Scan measured cloth under a shadow, and write the contact sheets into one picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sheets = []
    for name in ("fabric_weave", "felt", "leather"):
        albedo = measured(name).albedo
        sheets.append(contact_sheet(scan(jpeg(albedo * lights(len(albedo))["shadow"]))))
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(sheets), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    sys.exit(run("bench-fabric", main))
