"""`python -m benchmarks.photographs`: do the pictures come near to path-traced photographs?

    python -m benchmarks.photographs FOLDER                     # through the real server, which it starts
    python -m benchmarks.photographs FOLDER --in-process        # without server: a quick look

FOLDER has one folder for each scene (benchmarks/photographs/scene.py). Prints each scene's figures, the
means beside those of the plain composite and of the best gain, and the verdicts; writes them and a contact
sheet (camera, composite, keyframe, capture, photograph) to build/benchmarks/photographs/.
"""

import argparse
import sys
from typing import Any

import numpy as np

from benchmarks.command_line import run
from benchmarks.photographs import figures
from benchmarks.photographs.command_line import add_options, add_scenes, answered, scenes_of, write
from benchmarks.photographs.dark_room import share_kept
from benchmarks.photographs.dressing import Dress
from benchmarks.photographs.figures import Figures
from benchmarks.photographs.scene import Scene
from benchmarks.photographs.verdicts import verdicts
from benchmarks.provenance import provenance
from benchmarks.verdict import print_verdicts

_COLUMNS = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "delta_e": "ΔE",
    "mean_delta_e": "ΔE mean",
    "shading": "shading",
    "detail": "detail",
    "hand": "hand",
    "bare": "bare",
    "iou": "IoU",
    "outside": "outside",
}


async def examine(
    dress: Dress, scenes: list[Scene], modes: tuple[str, ...]
) -> tuple[dict[str, Any], list[Any]]:
    """The figures of each kind of picture by scene, and the rows of the sheet."""
    table: dict[str, list[Figures]] = {"composite": [], "best gain": [], **{mode: [] for mode in modes}}
    confidences: list[float | None] = []
    rows, kept = [], []
    for scene in scenes:
        table["composite"].append(figures.measure(scene, scene.composite, scene.alpha))
        table["best gain"].append(figures.measure(scene, figures.best_gain(scene), scene.visible))
        row = [scene.frame, scene.composite]
        for mode in modes:
            answer = await dress(scene, mode, session=scene.name)
            table[mode].append(figures.measure(scene, answer.picture, answer.mask))
            row.append(answer.picture)
            if mode == "keyframe":
                confidences.append(answer.report.get("light_confidence"))
        kept.append(await share_kept(dress, scene))
        rows.append([*row, scene.target])
        _print_scene(scene.name, table, modes, confidences[-1] if confidences else None)
    found = {
        "scenes": [it.name for it in scenes],
        "confidence": confidences,
        "dark_room": kept,
        "figures": table,
    }
    return found, rows


def _print_scene(
    name: str, table: dict[str, list[Figures]], modes: tuple[str, ...], confidence: float | None
) -> None:
    start = table["composite"][-1].psnr
    told = " ".join(f"{mode} {table[mode][-1].psnr - start:+.2f} dB" for mode in ("best gain", *modes))
    note = "" if confidence is None else f", confidence {confidence:.2f}"
    print(f"{name}: composite {start:.2f} dB, {told}{note}", flush=True)


def print_table(means: dict[str, dict[str, float]]) -> None:
    print("".join(f"{title:>11}" for title in ("", *_COLUMNS.values())))
    for kind, row in means.items():
        print(
            f"{kind:>11}"
            + "".join(f"{row[name]:11.3f}" if name in row else f"{'–':>11}" for name in _COLUMNS)
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.photographs", description=__doc__.split("\n")[0]
    )
    add_scenes(parser)
    parser.add_argument("--no-captures", action="store_true", help="keyframes alone")
    add_options(parser, "build/benchmarks/photographs")
    args = parser.parse_args()
    scenes = scenes_of(parser, args)
    modes = ("keyframe",) if args.no_captures else ("keyframe", "capture")
    report = provenance()
    found, rows = answered(args, lambda dress: examine(dress, scenes, modes))
    table = found["figures"]
    means = {kind: figures.mean(it) for kind, it in table.items()}
    print_table(means)
    dark = float(np.mean(found["dark_room"]))
    print(f"in a dark room, a tenth of the light: the jacket keeps {dark:.0%} of its brightness, worst "
          f"{max(found['dark_room']):.0%}")  # fmt: skip
    found_verdicts = verdicts(table["composite"], {mode: table[mode] for mode in modes})
    print_verdicts(found_verdicts)
    found["figures"] = {kind: [figures.rounded(it) for it in every] for kind, every in table.items()}
    report |= {"means": means, **found, "verdicts": [vars(it) for it in found_verdicts]}
    write(args.output, "photographs.json", report, rows)
    return 0


if __name__ == "__main__":
    sys.exit(run("bench-photographs", main))
