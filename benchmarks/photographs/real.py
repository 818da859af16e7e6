"""`python -m benchmarks.photographs.real`: a self-check on real photographs, whose light nobody has rendered.

The coarse light of the garment in a photograph is taken away (flattening.py), and what is left is sent as the
render, with a person in another shirt as the camera's frame, in several lights. The answer must come nearer
to the photograph than the flattened render does. Prints both for each photograph, and the verdicts; writes
them and a contact sheet (camera, flattened, keyframe, photograph) to build/benchmarks/real-photographs/.
"""

import argparse
import sys

import numpy as np

from benchmarks.command_line import run
from benchmarks.photographs import figures
from benchmarks.photographs.command_line import add_options, answered, write
from benchmarks.photographs.dressing import Dress
from benchmarks.photographs.figures import Figures
from benchmarks.photographs.flattening import LIGHTS, flattened
from benchmarks.photographs.portraits import portraits
from benchmarks.provenance import provenance
from benchmarks.verdict import Verdict, print_verdicts

# By portrait, then by light: the flattened render's figures, and the keyframe's.
Found = dict[str, dict[str, tuple[Figures, Figures]]]


async def examine(dress: Dress) -> tuple[Found, list[list[np.ndarray]]]:
    """The figures, and the rows of the sheet."""
    found: Found = {}
    rows = []
    for portrait in portraits():
        found[portrait.name] = {}
        for light in LIGHTS:
            scene = flattened(portrait, light)
            answer = await dress(scene, "keyframe", session=scene.name)
            both = (
                figures.measure(scene, scene.composite, scene.alpha),
                figures.measure(scene, answer.picture, answer.mask),
            )
            found[portrait.name][light] = both
            rows.append([scene.frame, scene.composite, answer.picture, scene.target])
            _print_line(portrait.name, light, *both)
    return found, rows


def _print_line(name: str, light: str, flat: Figures, lit: Figures) -> None:
    told = [
        f"{title} {getattr(flat, field):5.2f} → {getattr(lit, field):5.2f}"
        for field, title in (("psnr", "PSNR"), ("delta_e", "ΔE"), ("mean_delta_e", "ΔE mean"))
    ]
    print(f"{name:>13}, {light:<9} {', '.join(told)}, shading {lit.shading or 0:5.2f}", flush=True)


def verdicts(found: Found) -> list[Verdict]:
    """In the mean of its lights, each portrait must be nearer to the photograph than the flattened render."""
    result = []
    for name, by_light in found.items():
        flat, lit = (figures.mean([pair[side] for pair in by_light.values()]) for side in (0, 1))
        nearer = lit["psnr"] > flat["psnr"] and lit["delta_e"] < flat["delta_e"]
        told = (
            f"PSNR {lit['psnr']:.2f} dB instead of {flat['psnr']:.2f}, "
            f"ΔE {lit['delta_e']:.2f} instead of {flat['delta_e']:.2f}"
        )
        result.append(Verdict(f"{name}: nearer to the photograph than without its light", told, nearer))
    return result


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.photographs.real", description=__doc__.split("\n")[0]
    )
    add_options(parser, "build/benchmarks/real-photographs")
    args = parser.parse_args()
    report = provenance()
    found, rows = answered(args, examine)
    every = [pair for by_light in found.values() for pair in by_light.values()]
    means = {
        kind: figures.mean([pair[side] for pair in every]) for side, kind in enumerate(("flat", "keyframe"))
    }
    for kind, row in means.items():
        print(
            f"{kind:>13}: "
            + ", ".join(f"{name} {row[name]:.3f}" for name in ("psnr", "ssim", "delta_e", "mean_delta_e"))
        )
    judged = verdicts(found)
    print_verdicts(judged)
    report |= {
        "sources": {it.name: it.source for it in portraits()},
        "figures": {
            name: {
                light: {
                    kind: figures.rounded(it) for kind, it in zip(("flat", "keyframe"), pair, strict=True)
                }
                for light, pair in by_light.items()
            }
            for name, by_light in found.items()
        },
        "means": means,
        "verdicts": [vars(it) for it in judged],
    }
    write(args.output, "real-photographs.json", report, rows)
    return 0


if __name__ == "__main__":
    sys.exit(run("bench-real-photographs", main))
