"""Evaluates a try-on pipeline on scenes that it has never seen.

The pipeline is a function, so that the same figures can be measured for a checkpoint in torch
(`python -m training.lucy_tiny evaluate`) and for the whole server (`python -m benchmarks.checkpoint`).
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from tqdm import tqdm

from training.lucy_tiny.architecture import read_checkpoint
from training.lucy_tiny.captions import caption
from training.lucy_tiny.metrics import edge_ring, gradient_energy, oracle_gain, psnr, sharpness, ssim
from training.lucy_tiny.relighting import draw, relight
from training.lucy_tiny.sampling import denoise, embed
from training.lucy_tiny.scenes import Scene, make_scene
from training.lucy_tiny.shards import painted_blocks
from training.lucy_tiny.sheets import write_sheet
from training.lucy_tiny.training import HELD_OUT
from training.lucy_tiny.unet_training import as_pixels

FIRST_SCENE = HELD_OUT + 1000  # training's sample sheets use the seeds before
_STEPS = (1, 4, 25)


class Dress(Protocol):
    """A pipeline: the frame with the garment on it, (H, W, 3) sRGB uint8.

    frame: (H, W, 3) sRGB uint8. render: (H, W, 4) RGBA uint8, its alpha the garment's mask. landmarks:
    (33, 4). prompt: the whole caption. steps: executed denoising steps.
    """

    def __call__(
        self, frame: np.ndarray, render: np.ndarray, landmarks: np.ndarray, prompt: str, steps: int
    ) -> np.ndarray: ...


class TorchPipeline:
    """The checkpoint in torch, for a quick evaluation without export and server."""

    def __init__(self, checkpoint: Path, seed: int = 0):
        self._pipeline: Any = read_checkpoint(checkpoint)
        self._seed = seed
        use = json.loads((checkpoint / "pipeline.json").read_text())
        self._recipes = {use[mode]["steps"]: use[mode] for mode in ("capture", "keyframe")}
        self._live = use["keyframe"]

    @torch.no_grad()
    def __call__(
        self, frame: np.ndarray, render: np.ndarray, landmarks: np.ndarray, prompt: str, steps: int
    ) -> np.ndarray:
        parts = self._pipeline
        composite, mask = draw(frame, render)
        pixels = torch.from_numpy(composite).permute(2, 0, 1)[None].float() / 127.5 - 1
        conditioning = parts.vae.encode(pixels).latent_dist.mean
        painted = torch.from_numpy(painted_blocks(mask))[None].float()
        text = embed(parts.tokenizer, parts.text_encoder, [prompt])
        recipe = self._recipes.get(steps, self._live)
        latents = denoise(
            *(parts.unet, parts.scheduler, painted, conditioning, text, steps, self._seed),
            recipe["denoising_end"],
        )
        picture = as_pixels(parts.vae.decode(latents, return_dict=False)[0])[0]
        return relight(picture, composite, mask, recipe["relight_sigma"], recipe["detail_gain"])


def spared_render(scene: Scene) -> np.ndarray:
    """The scene's render without head and hands, RGBA, so that every pipeline uses the same mask."""
    return np.dstack([scene.render[..., :3], scene.mask])


def measure(
    dress: Dress, scenes: Sequence[Scene], steps: Sequence[int] = _STEPS
) -> dict[str, dict[str, float]]:
    """Means over `scenes` for each picture: `naive` (the composite itself), `oracle` (the composite with the
    best RGB gain for that scene), `steps 4` and so on.

    psnr, ssim: inside the mask; ring: PSNR within 4 pixels of its edge; gradient, sharpness: energies of the
    gradients and of the Laplacian, relative to the target's.
    """
    figures: dict[str, list[dict[str, float]]] = {}
    for scene in tqdm(scenes, desc="scenes"):
        where, ring = scene.mask > 127, edge_ring(scene.mask)
        pictures = {"naive": scene.composite, "oracle": oracle_gain(scene.composite, scene.target, where)}
        for count in steps:
            pictures[f"steps {count}"] = dress(
                scene.frame, spared_render(scene), scene.landmarks, scene.caption, count
            )
        energy, sharp = gradient_energy(scene.target, where), sharpness(scene.target, where)
        for name, picture in pictures.items():
            figures.setdefault(name, []).append(
                {
                    "psnr": psnr(picture, scene.target, where),
                    "ssim": ssim(picture, scene.target, where),
                    "ring": psnr(picture, scene.target, ring),
                    "gradient": gradient_energy(picture, where) / max(energy, 1e-6),
                    "sharpness": sharpness(picture, where) / max(sharp, 1e-6),
                }
            )
    return {
        name: {key: round(float(np.mean([row[key] for row in rows])), 3) for key in rows[0]}
        for name, rows in figures.items()
    }


def _warmth(picture: np.ndarray, where: np.ndarray) -> float:
    inside = picture[where].astype(np.float64) + 1
    return float(np.log(inside[:, 0] / inside[:, 2]).mean())


def _leftness(picture: np.ndarray, where: np.ndarray) -> float:
    """How much brighter the garment's left half is than its right half."""
    x = np.nonzero(where)[1]
    return -float(np.corrcoef(x - x.mean(), picture[where].mean(axis=1))[0, 1])


Prompt = Callable[[Scene], str]
# Two prompts, and a quantity that must be larger with the first.
_SWAPS: dict[str, tuple[Prompt, Prompt, Callable[[np.ndarray, np.ndarray], float]]] = {
    "warm for cool": (
        lambda scene: caption(scene.colour, scene.fabric, "warm soft light from the front"),
        lambda scene: caption(scene.colour, scene.fabric, "cool soft light from the front"),
        _warmth,
    ),
    "left for right": (
        lambda scene: caption(scene.colour, scene.fabric, "neutral hard light from the left"),
        lambda scene: caption(scene.colour, scene.fabric, "neutral hard light from the right"),
        _leftness,
    ),
    "satin for wool": (
        lambda scene: caption(scene.colour, "satin", scene.light),
        lambda scene: caption(scene.colour, "wool", scene.light),
        gradient_energy,
    ),
}  # fmt: skip


def obeys(dress: Dress, scenes: Sequence[Scene], steps: int = 4) -> dict[str, float]:
    """The share of scenes on which swapping a word changes the picture in the right direction."""
    shares = {}
    for name, (first, second, quantity) in _SWAPS.items():
        right = []
        for scene in tqdm(scenes, desc=name):
            one, other = (
                dress(scene.frame, spared_render(scene), scene.landmarks, prompt(scene), steps)
                for prompt in (first, second)
            )
            right.append(quantity(one, scene.mask > 127) > quantity(other, scene.mask > 127))
        shares[name] = float(np.mean(right))
    return shares


def verdicts(seen: dict[str, dict[str, float]], shifted: dict[str, dict[str, float]]) -> dict[str, bool]:
    """Whether the checkpoint meets each of its requirements."""
    gains = [
        {
            "naive": row["steps 4"]["psnr"] - row["naive"]["psnr"],
            "oracle": row["steps 4"]["psnr"] - row["oracle"]["psnr"],
            "ssim": row["steps 4"]["ssim"] - row["naive"]["ssim"],
            "ring": row["steps 4"]["ring"] - row["naive"]["ring"],
        }
        for row in (seen, shifted)
    ]
    wanted = {"naive": 6.0, "oracle": 2.5, "ssim": 0.09, "ring": 3.0}
    met = {f"4 steps: {key} + {least}": gains[0][key] >= least for key, least in wanted.items()}
    met |= {
        f"shifted: {key} + {0.7 * least:.3g}": gains[1][key] >= 0.7 * least for key, least in wanted.items()
    }
    met["1 step, for lights, within 0.1 dB of 4"] = all(
        row["steps 1"]["psnr"] >= row["steps 4"]["psnr"] - 0.1 for row in (seen, shifted)
    )
    met["25 steps within 0.2 dB of 4"] = seen["steps 25"]["psnr"] >= seen["steps 4"]["psnr"] - 0.2
    met["25 steps: gradients 0.8 to 1.2"] = 0.8 <= seen["steps 25"]["gradient"] <= 1.2
    return met


def evaluate(dress: Dress, count: int, work: Path, first_scene: int = FIRST_SCENE) -> dict[str, Any]:
    """Measure a pipeline on `count` scenes of both sets, with seeds from `first_scene` on.

    Returns the figures of `measure` for the sets `seen` and `shifted`, those of `obeys` as `text`, and as
    `met` which requirements they meet. Writes two contact sheets to `work`.
    """
    work.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {}
    for name in ("seen", "shifted"):
        scenes = [make_scene(first_scene + i, shifted=name == "shifted") for i in range(count)]
        report[name] = measure(dress, scenes)
        rows = []
        for scene in scenes[:8]:
            dressed = [
                dress(scene.frame, spared_render(scene), scene.landmarks, scene.caption, steps)
                for steps in (4, 25)
            ]
            rows.append([scene.composite, *dressed, scene.target])
        write_sheet(rows, work / f"evaluation-{name}.png")
    scenes = [make_scene(first_scene + i) for i in range(count)]
    report["text"] = obeys(dress, scenes)
    report["met"] = verdicts(report["seen"], report["shifted"])
    report["met"] |= {f"text: {name} on 90 %": share >= 0.9 for name, share in report["text"].items()}
    return report
