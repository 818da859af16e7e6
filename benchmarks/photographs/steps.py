"""`python -m benchmarks.photographs.steps FOLDER`: what further denoising steps add to the pictures.

Each scene of FOLDER (benchmarks/photographs/scene.py) is dressed with each number of steps, in this process.
Prints the means beside the truth, and how far the pictures are from those of the most steps.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import numpy as np

from benchmarks.command_line import run
from benchmarks.photographs import figures
from benchmarks.photographs.command_line import CHECKPOINT, add_scenes, scenes_of
from benchmarks.photographs.dressing import Dress, in_this_process
from benchmarks.photographs.figures import Figures
from benchmarks.photographs.scene import Scene

# 0: the light of the scene alone. A capture takes at least one.
_STEPS = {"keyframe": (0, 1, 2, 4), "capture": (1, 4, 25)}


async def compare(dress: Dress, scenes: list[Scene], mode: str, steps: tuple[int, ...]) -> list[str]:
    """A line for each number of steps, the most of which come last."""
    found: dict[int, list[Figures]] = {count: [] for count in steps}
    apart: dict[int, list[np.ndarray]] = {count: [] for count in steps}
    for scene in scenes:
        answers = {count: await dress(scene, mode, steps=count, seed=1) for count in steps}
        most = answers[steps[-1]].picture.astype(np.int16)
        for count, answer in answers.items():
            found[count].append(figures.measure(scene, answer.picture, answer.mask))
            apart[count].append(np.abs(answer.picture - most)[answer.mask > 0])
    return [_line(mode, count, found[count], np.concatenate(apart[count])) for count in steps]


def _line(mode: str, count: int, found: list[Figures], apart: np.ndarray) -> str:
    means = figures.mean(found)
    return (
        f"{mode} of {count:2} steps: PSNR {means['psnr']:.3f} dB, SSIM {means['ssim']:.4f}, "
        f"ΔE {means['delta_e']:.3f}, shading {means.get('shading', float('nan')):.3f}; from the most steps "
        f"{apart.mean():.2f} grey levels in the mean, 99.9 % within {np.percentile(apart, 99.9):.0f}, "
        f"at most {apart.max()}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.photographs.steps", description=__doc__.split("\n")[0]
    )
    add_scenes(parser)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT, help="default: %(default)s")
    args = parser.parse_args()
    scenes = scenes_of(parser, args)

    async def work() -> None:
        async with in_this_process(args.checkpoint) as dress:
            for mode, steps in _STEPS.items():
                for line in await compare(dress, scenes, mode, steps):
                    print(line, flush=True)

    print(f"{len(scenes)} scenes")
    asyncio.run(work())
    return 0


if __name__ == "__main__":
    sys.exit(run("bench-steps", main))
