"""Step 2: lucy-tiny's pictures on the device beside those of the CPU, from the same seed.

The networks run as they are served: half precision on a GPU, single on a CPU, from the same weights.
`pack` paints the scenes, so that this step needs no painter.
"""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu_proof.figures import Picture, Recorded
from benchmarks.gpu_proof.steps.step import precision, size_of

Networks = dict[str, nn.Module]


@torch.no_grad()
def measure(recorded: Recorded, args: argparse.Namespace) -> None:
    from export.checkpoint import locate

    size, figures = size_of(args), recorded.figures
    data = np.load(args.data / "scenes.npz")
    scenes = {
        name: torch.from_numpy(data[name][: size.scenes]) for name in ("pixels", "painted", "input_ids")
    }
    target = data["target"][: size.scenes].astype(np.float64)
    figures.checkpoint, figures.scenes = args.checkpoint.name, len(target)
    loaded = locate(str(args.checkpoint)).load()
    stages = {stage.name: stage for stage in loaded.stages}
    scheduler = _scheduler(dict(loaded.scheduler_config))
    end = loaded.config.keyframe.denoising_end
    here = {name: stage.module.to("cpu", torch.float32) for name, stage in stages.items()}
    wanted = {steps: _pictures(here, scenes, scheduler, steps, end, figures.seed) for steps in size.steps}
    outputs = {name: _numbers(here[name](**stage.example)) for name, stage in stages.items()}
    there = {name: module.to(args.device, precision(args)) for name, module in here.items()}
    for name, stage in stages.items():
        example = {key: one.to(args.device) for key, one in stage.example.items()}
        error = np.abs(_numbers(there[name](**example)) - outputs[name]).max()
        figures.largest_errors[name] = float(error / np.abs(outputs[name]).max())
    recorded.write()
    for steps in size.steps:
        made = _pictures(there, scenes, scheduler, steps, end, figures.seed)
        ratios = [_psnr(one, other) for one, other in zip(made, wanted[steps], strict=True)]
        figures.pictures.append(
            Picture(
                steps=steps,
                psnr_db=sum(ratios) / len(ratios),
                worst_db=min(ratios),
                cpu_to_photograph_db=_mean_psnr(wanted[steps], target),
                device_to_photograph_db=_mean_psnr(made, target),
            )
        )
        recorded.write()


def _scheduler(config: dict[str, Any]) -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler.from_config(config)


def _pictures(
    networks: Networks, scenes: dict[str, Tensor], scheduler: Any, steps: int, end: float, seed: int
) -> np.ndarray:
    """(N, H, W, 3) sRGB, 0 to 255, as floats. The noise comes from the CPU, so it is the same everywhere."""
    device = next(networks["unet"].parameters()).device
    given = {name: tensor.to(device) for name, tensor in scenes.items()}
    text = networks["text_encoder"](given["input_ids"])
    conditioning, _ = networks["vae_encoder"](given["pixels"])
    noise = torch.randn((1, *conditioning.shape[1:]), generator=torch.Generator().manual_seed(seed))
    latents = noise.to(device).expand_as(conditioning) * scheduler.init_noise_sigma
    scheduler.set_timesteps(math.ceil(steps / end))
    for t in scheduler.timesteps[:steps]:
        sample = torch.cat([latents, given["painted"], conditioning], dim=1)
        timestep = torch.full((len(sample),), float(t), device=device)
        stepped = scheduler.step(networks["unet"](sample, timestep, text), t, latents)
        latents = stepped.prev_sample
    pixels = networks["vae_decoder"](stepped.pred_original_sample)
    return _numbers((pixels / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1) * 255)


def _numbers(output: Any) -> np.ndarray:
    first = output[0] if isinstance(output, tuple) else output
    return first.float().cpu().numpy().astype(np.float64)


def _psnr(one: np.ndarray, other: np.ndarray) -> float:
    """In dB; 99 at most, for pictures that are equal."""
    error = float(((one - other) ** 2).mean())
    return 99.0 if error <= 0 else min(99.0, 10 * math.log10(255**2 / error))


def _mean_psnr(pictures: np.ndarray, target: np.ndarray) -> float:
    return float(np.mean([_psnr(one, other) for one, other in zip(pictures, target, strict=True)]))


def write_scenes(path: Path, checkpoint: Path, count: int, first: int) -> None:
    """What this step reads: scenes that were never trained on, as the networks take them."""
    from transformers import AutoTokenizer

    from training.lucy_tiny.scenes import make_scene
    from training.lucy_tiny.shards import painted_blocks

    scenes = [make_scene(first + number) for number in range(count)]
    tokenizer = AutoTokenizer.from_pretrained(checkpoint / "tokenizer", local_files_only=True)
    tokens = tokenizer(
        [scene.caption for scene in scenes],
        padding="max_length",
        max_length=77,
        truncation=True,
        return_tensors="np",
    )
    composites = np.stack([scene.composite for scene in scenes]).transpose(0, 3, 1, 2)
    np.savez_compressed(
        path,
        pixels=(composites / 127.5 - 1).astype(np.float32),
        painted=np.stack([painted_blocks(scene.mask) for scene in scenes]).astype(np.float32),
        input_ids=tokens["input_ids"].astype(np.int32),
        target=np.stack([scene.target for scene in scenes]),
    )
