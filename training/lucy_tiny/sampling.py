"""Denoising a batch, as `StableDiffusionInpaintPipeline` does at full strength and without guidance."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from training.lucy_tiny.architecture import DENOISING_END


@torch.no_grad()
def embed(tokenizer: Any, text_encoder: nn.Module, prompts: list[str]) -> Tensor:
    """(B, 77, D) embeddings."""
    tokens = tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt")
    embedded: Tensor = text_encoder(tokens.input_ids.to(next(text_encoder.parameters()).device))[0]
    return embedded


@torch.no_grad()
def denoise(
    unet: nn.Module,
    scheduler: Any,
    mask: Tensor,
    conditioning: Tensor,
    embeddings: Tensor,
    steps: int,
    seed: int,
    denoising_end: float = DENOISING_END,
) -> Tensor:
    """Latents (B, 4, h, w) of the dressed people.

    mask: (B, 1, h, w), 1 where the model paints. conditioning: (B, 4, h, w), the composites' latents.
    denoising_end: share of the schedule that its `steps` steps take, as in `pipeline.json`.
    """
    generator = torch.Generator().manual_seed(seed)
    # One picture's noise does not depend on how many share its batch.
    noise = torch.randn((1, *conditioning.shape[1:]), generator=generator).to(conditioning.device)
    latents = noise.expand_as(conditioning) * scheduler.init_noise_sigma
    scheduler.set_timesteps(math.ceil(steps / denoising_end))
    for t in scheduler.timesteps[:steps]:
        sample = torch.cat([latents, mask, conditioning], dim=1)
        prediction = unet(sample, t.to(sample.device), embeddings, return_dict=False)[0]
        stepped = scheduler.step(prediction, t, latents)
        latents = stepped.prev_sample
    predicted: Tensor = stepped.pred_original_sample
    return predicted
