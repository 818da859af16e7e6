"""Step 6: training of lucy-tiny for what is left of the time: how fast, and whether the loss falls.

The scenes are painted by `pack`: painting is work for a CPU.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_proof.figures import Recorded
from benchmarks.gpu_proof.steps.step import left

_NOTED_EVERY_S = 2.0


def measure(recorded: Recorded, args: argparse.Namespace) -> None:
    from training.lucy_tiny.autoencoder import read_basis
    from training.lucy_tiny.shards import read_latents
    from training.lucy_tiny.unet_training import Training

    pipeline, figures = _pipeline(args.checkpoint), recorded.figures
    basis = read_basis(pipeline.vae)
    training = Training(
        pipeline,
        read_latents(args.data / "latents"),
        basis.scale,
        max(1.0, left(args) - 2),
        torch.device(args.device),
    )
    figures.batch = training._batch
    noted = time.monotonic()

    def note(training: Any) -> None:
        nonlocal noted
        if time.monotonic() - noted < _NOTED_EVERY_S and training.elapsed < training.seconds:
            return
        if args.device == "cuda":
            torch.cuda.synchronize()
        noted = time.monotonic()
        figures.steps, figures.seconds = training.step, round(training.elapsed, 1)
        figures.samples_per_s = round(training.step * training._batch / training.elapsed, 1)
        figures.losses.append(training.loss)
        recorded.write()

    training.run(note)


def _pipeline(checkpoint: Path) -> Any:
    from diffusers import StableDiffusionInpaintPipeline

    return StableDiffusionInpaintPipeline.from_pretrained(
        checkpoint, torch_dtype=torch.float32, safety_checker=None, local_files_only=True
    )


def write_latents(folder: Path, checkpoint: Path, first: int, count: int) -> None:
    """What this step reads."""
    from training.lucy_tiny import shards
    from training.lucy_tiny.autoencoder import read_basis

    with torch.no_grad():
        basis = read_basis(_pipeline(checkpoint).vae)
    shards.write_latents(folder, basis, first, count)
