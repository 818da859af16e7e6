"""The whole training, from random weights to a checkpoint folder, in a given time."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from training.devices import chosen_device
from training.files import whole
from training.lucy_tiny.architecture import MODES, build_pipeline, read_checkpoint, write_checkpoint
from training.lucy_tiny.autoencoder import Basis, fit_basis, read_basis, set_linear, train_decoder
from training.lucy_tiny.metrics import psnr
from training.lucy_tiny.relighting import relight
from training.lucy_tiny.sampling import denoise, embed
from training.lucy_tiny.scenes import Scene, make_scene
from training.lucy_tiny.shards import (
    painted_blocks,
    read_latents,
    read_pictures,
    write_latents,
    write_pictures,
)
from training.lucy_tiny.sheets import write_sheet
from training.lucy_tiny.unet_training import LEARNING_RATE, Training, as_pixels

# Shares of the time. Painting stops early when there are enough scenes.
_LATENTS, _DECODER, _UNET = 0.25, 0.1, 0.65
_PICTURES = 2048
_LATENTS_A_MINUTE = {"cpu": 160, "cuda": 5000}
FIRST_LATENTS = 1_000_000
HELD_OUT = 2_000_000  # seeds from here on are never trained on
_SHEET_EVERY = 120.0  # seconds
_COMPILED_FROM = 1800.0  # seconds
_LEARNING_RATE_ONWARDS = 5e-4


def train(
    minutes: float,
    work: Path,
    checkpoint: Path,
    seed: int = 0,
    start: Path | None = None,
    first_scene: int = FIRST_LATENTS,
) -> None:
    """Paint, train the decoder, train the UNet, write the checkpoint.

    minutes: total time, with painting. work: the folder of data, states and sample sheets, from which a
    stopped run resumes. start: a checkpoint of this kind to begin with; its autoencoder is kept.
    first_scene: the seed of the UNet's first scene, which `start` should not have seen.
    Raises ValueError if the scenes would include those that are reserved for evaluation.
    """
    device = chosen_device()
    count = int(minutes * _LATENTS_A_MINUTE[device.type])
    if first_scene + count > HELD_OUT:
        raise ValueError(
            f"{count} scenes from {first_scene} on would include those for evaluation, from {HELD_OUT} on"
        )
    if start is None:
        pipeline = build_pipeline(seed)
        write_pictures(work, _PICTURES)
        basis = _basis(work)
        set_linear(pipeline.vae, basis)
        _decoder(pipeline, work, 60 * minutes * _DECODER, device)
    else:
        pipeline = read_checkpoint(start)
        basis = read_basis(pipeline.vae)
        pipeline.vae.to(device)
    write_latents(work, basis, first_scene, count, 60 * minutes * _LATENTS)
    rate = LEARNING_RATE if start is None else _LEARNING_RATE_ONWARDS
    training = Training(pipeline, read_latents(work), basis.scale, 60 * minutes * _UNET, device, seed, rate)
    if training.seconds > _COMPILED_FROM and (device.type == "cuda" or shutil.which("g++")):
        training.compile()
    _unet(training, pipeline, work, captions_known=start is not None)
    pipeline.unet, pipeline.text_encoder = (
        training.average[name].cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        for name in ("unet", "text_encoder")
    )
    pipeline.vae.cpu()
    write_checkpoint(pipeline, checkpoint)


def _basis(work: Path) -> Basis:
    path = work / "basis.npz"
    if not path.exists():
        basis = fit_basis(read_pictures(work)[::4])
        with whole(path) as file:
            np.savez(file, mean=basis.mean, components=basis.components, scale=basis.scale)
    return Basis(**np.load(path))


def _decoder(pipeline: Any, work: Path, seconds: float, device: torch.device) -> None:
    path = work / "vae.pt"
    if not path.exists():
        with tqdm(
            total=100, desc="decoder", unit="%", bar_format="{desc}: {percentage:.0f}% {postfix}"
        ) as bar:

            def on_step(share: float, loss: float) -> None:
                bar.n = 100 * share
                bar.set_postfix(loss=f"{loss:.4f}")

            train_decoder(pipeline.vae, read_pictures(work), seconds, device, on_step=on_step)
        with whole(path) as file:
            torch.save(pipeline.vae.state_dict(), file)
    pipeline.vae.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    pipeline.vae.to(device).eval()


def _unet(training: Training, pipeline: Any, work: Path, captions_known: bool) -> None:
    state, log = work / "unet.pt", work / "training.jsonl"
    if state.exists():
        training.load(state)
    elif not captions_known:
        print(f"captions: {1 - training.learn_captions():.0%} of the light's change is read from them")
    scenes = [make_scene(HELD_OUT + i) for i in range(24)]
    shown = training.elapsed
    with tqdm(total=round(training.seconds), initial=round(training.elapsed), desc="unet", unit="s") as bar:

        def on_step(training: Training) -> None:
            nonlocal shown
            bar.update(int(training.elapsed) - bar.n)
            bar.set_postfix(step=training.step, loss=f"{training.loss:.3f}")
            over = training.elapsed >= training.seconds
            if over or training.elapsed - shown > _SHEET_EVERY:
                shown = training.elapsed
                gain = _sample(training, pipeline, scenes, work / f"samples-{training.step:06}.png")
                training.save(state)
                with log.open("a") as file:
                    entry = {"step": training.step, "seconds": round(shown), "loss": training.loss}
                    file.write(json.dumps(entry | {"gain_db": round(gain, 2), "at": time.time()}) + "\n")

        training.run(on_step)


@torch.no_grad()
def _sample(training: Training, pipeline: Any, scenes: list[Scene], path: Path) -> float:
    """Write a sheet: composite, the model's picture, the composite in its light, target.

    Returns the mean gain of the third over the first inside the mask, in dB.
    """
    pixels = torch.from_numpy(np.stack([scene.composite for scene in scenes])).permute(0, 3, 1, 2)
    conditioning = pipeline.vae.encode((pixels.float() / 127.5 - 1).to(training.device)).latent_dist.mean
    mask = torch.from_numpy(np.stack([painted_blocks(scene.mask) for scene in scenes])).float()
    prompts = [scene.caption for scene in scenes]
    text = embed(pipeline.tokenizer, training.average["text_encoder"], prompts)
    latents = denoise(
        training.average["unet"], pipeline.scheduler, mask.to(training.device), conditioning, text, 4, 0
    )
    pictures = as_pixels(pipeline.vae.decode(latents, return_dict=False)[0])
    sigma = MODES["keyframe"]["relight_sigma"]
    lit = [
        relight(picture, scene.composite, scene.mask, sigma)
        for scene, picture in zip(scenes, pictures, strict=True)
    ]
    shown = zip(scenes, pictures, lit, strict=True)
    write_sheet([[s.composite, picture, light, s.target] for s, picture, light in [*shown][:8]], path)
    return float(
        np.mean(
            [
                psnr(light, s.target, s.mask > 127) - psnr(s.composite, s.target, s.mask > 127)
                for s, light in zip(scenes, lit, strict=True)
            ]
        )
    )
