"""`python -m benchmarks.photographs.budget FOLDER`: what a true mask and parts of the true light would gain.

Each scene of FOLDER (benchmarks/photographs/scene.py) is dressed in this process in the light of the scene
alone, as live keyframes are, and again with parts of mask and light replaced by the truth. Prints the means
of all scenes, as decibels above the plain composite.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from benchmarks.command_line import run
from benchmarks.photographs import figures
from benchmarks.photographs.command_line import CHECKPOINT, add_scenes, scenes_of
from benchmarks.photographs.scene import Scene
from families.sd_inpainting.light import WEIGHTS, read_weights
from pipeline.garment.crop import Crop, place
from pipeline.garment.masking import find_garment, over
from pipeline.garment.pictures import decode_render
from pipeline.garment.pose import Pose
from pipeline.garment.scene import SIDE, see
from pipeline.garment.visibility import Networks
from pipeline.light.compositing import relit
from pipeline.light.light_reader import LightReader
from pipeline.light.scene_light import over_crop
from pipeline.recipe import PipelineConfig, Recipe
from pipeline.resize import size_of
from serving.visible_garment import open_networks
from training.scene_light.augmentation import Batch
from training.scene_light.learning import truth

# Errors of the level's brightness, as a logarithm, of which the cost is told.
_ERRORS = (0.1, 0.2, 0.3, 0.4)


@dataclass(frozen=True)
class Worn:
    """A garment on the frame. colour: (H, W, 3) BGR uint8, premultiplied by mask, (H, W) uint8."""

    colour: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Light:
    """log E in `window` of the frame, in two parts: level (1, 3, 1, 1) and shading (1, 3, n, n)."""

    window: np.ndarray
    level: Tensor
    shading: Tensor

    @property
    def brightness(self) -> Tensor:
        return self.level.mean(dim=1, keepdim=True)

    def with_level(self, level: Tensor) -> "Light":
        return Light(self.window, level, self.shading)


def garment_found(scene: Scene, networks: Networks | None) -> Worn:
    """The garment as the server finds it."""
    pose = Pose(scene.pose, size_of(scene.frame))
    garment = find_garment(decode_render(scene.jacket_render), scene.frame, pose, networks=networks)
    return Worn(garment.colour, garment.mask)


def garment_seen(scene: Scene) -> Worn:
    """What of the render is truly visible."""
    mask = cv2.multiply(scene.visible, scene.alpha, scale=1 / 255)
    return Worn(cv2.multiply(scene.drawn, cv2.merge([scene.visible] * 3), scale=1 / 255), mask)


@torch.no_grad()
def read_light(network: LightReader, scene: Scene, worn: Worn) -> tuple[Light, Light]:
    """The light that the network reads there, and the true one; beyond the garment they are the same."""
    planes, window = see(scene.frame, worn.colour, worn.mask, scene.pose)
    seen = torch.from_numpy(planes)
    photograph = Crop(*window.tolist()).of(scene.target, (SIDE, SIDE), cv2.BORDER_REPLICATE)
    target = torch.from_numpy(np.stack(cv2.split(photograph)[::-1]).astype(np.float32) / 255)[None]
    wanted, weight = truth(Batch(seen, target, seen[:, 6:7]))
    answer, _ = network(seen)
    level, true_level = (_mean(it, weight) for it in (answer, wanted))
    shading = torch.where(weight > 0, wanted - true_level, answer - level)
    return Light(window, level, answer - level), Light(window, true_level, shading)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum(dim=(2, 3), keepdim=True) / (weight.sum(dim=(2, 3), keepdim=True) + 1e-6)


def decibels(scene: Scene, worn: Worn, light: Light, recipe: Recipe) -> float:
    """PSNR of the garment in that light."""
    crop = place("garment", worn.mask, recipe.resolution)
    box = np.array([crop.x, crop.y, crop.width, crop.height], np.int32)
    picture, _ = relit(
        np.zeros((*recipe.resolution, 3), np.uint8),  # of which nothing is taken
        over(worn.colour, worn.mask, scene.frame),
        worn.mask,
        box,
        recipe.relight_sigma,
        detail_gain=recipe.laid_detail_gain,
        scene_light=over_crop((light.level + light.shading)[0].numpy(), light.window, box),
    )
    return figures.measure(scene, picture, worn.mask).psnr


def budget(scene: Scene, network: LightReader, recipe: Recipe, networks: Networks | None) -> dict[str, float]:
    """Decibels above the plain composite, by what is replaced by the truth."""
    served, right = garment_found(scene, networks), garment_seen(scene)
    told, light = read_light(network, scene, right)
    start = figures.measure(scene, scene.composite, scene.alpha).psnr
    brighter = light.brightness - told.brightness
    found = {"as served": decibels(scene, served, read_light(network, scene, served)[0], recipe)}
    replaced = {
        "mask": told,
        "mask, level's colour": told.with_level(light.level - brighter),
        "mask, level's brightness": told.with_level(told.level + brighter),
        "mask, level": told.with_level(light.level),
        "mask, shading": light.with_level(told.level),
        "mask, level, shading": light,
    }
    found |= {name: decibels(scene, right, it, recipe) for name, it in replaced.items()}
    for error in _ERRORS:
        both = [told.with_level(told.level + brighter + it) for it in (error, -error)]
        found[f"mask; brightness wrong by {error}"] = float(
            np.mean([decibels(scene, right, it, recipe) for it in both])
        )
    return {name: value - start for name, value in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.photographs.budget", description=__doc__.split("\n")[0]
    )
    add_scenes(parser)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT, help="default: %(default)s")
    args = parser.parse_args()
    config = PipelineConfig.model_validate_json((args.checkpoint / "pipeline.json").read_text())
    recipe = config.keyframe.without_picture()
    network, networks = read_weights(args.checkpoint / WEIGHTS), open_networks()
    rows = []
    for scene in scenes_of(parser, args):
        rows.append(budget(scene, network, recipe, networks))
        print(f"{scene.name}: as served {rows[-1]['as served']:+.2f} dB", flush=True)
    print("\nreplaced by the truth")
    for name in rows[0]:
        print(f"{name:35}{np.mean([row[name] for row in rows]):+6.2f} dB")
    return 0


if __name__ == "__main__":
    sys.exit(run("bench-budget", main))
