"""From a request to the inputs of Stable Diffusion's inpainting UNet.

It computes what diffusers' `StableDiffusionInpaintPipeline` computes and draws random numbers in the same
order, so that the same seed gives the same picture.

    z_T   noisy latents                            (1, 4, H/8, W/8)
    m     mask: 1 where the garment is painted     (1, 1, H/8, W/8)
    c     latents of the conditioning image        (1, 4, H/8, W/8)
    e     prompt embeddings                        (rows, tokens, width)
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from families.sd_inpainting.linear_decoder import FILE, LinearDecoder
from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import Conditions
from pipeline.denoising.schedule import Schedule
from pipeline.garment.garment_picture import is_given
from pipeline.recipe import ServedConfig
from pipeline.tensor_cache import TensorCache
from pipeline.tryon.conditioner import (
    FRAME,
    Conditioned,
    Decoding,
    Start,
    Task,
    compressed,
    has_nothing_to_paint,
)
from pipeline.tryon.prompts import Prompts

# Without a category: this class of checkpoints paints a render, and takes no photo of the garment.
ENCODE_INPUTS = (
    *("camera_frame", "jacket_render", "pose", "client_mask", "render_fit"),
    *("resolution", "conditioning", "earlier_laying", "occluded", "with_scene"),
    "render_parts",
)
ENCODED = (
    *("composite", "mask", "crop", "latent_mask", "report", "latent_mean", "latent_std"),
    *("scene", "scene_window", "garment_map"),
)


# What the light of the scene is laid on.
LIT = (*FRAME, "scene", "scene_window", "pixels")


class SdInpainting:
    """The conditioner of this family. linear_decoder: of a checkpoint that has one."""

    def __init__(self, prompts: Prompts, linear_decoder: LinearDecoder | None = None):
        self._prompts = prompts
        self._linear = Decoding() if linear_decoder is None else Decoding("postprocess", linear_decoder)

    async def condition(self, task: Task) -> Conditioned:
        inputs = {name: task.inputs[name] for name in ENCODE_INPUTS}
        if (unpainted := await without_render(task, inputs)) is not None:
            return unpainted
        if not task.request.recipe.paints:
            return Conditioned(await task.models("preprocess", inputs, LIT), None)
        encoded, embedded = await asyncio.gather(
            task.models("encode", inputs, ENCODED),
            task.models(
                "text_encoder", {"input_ids": self._prompts.input_ids(task.request)}, ["prompt_embeds"]
            ),
        )
        tensors = encoded | embedded
        if has_nothing_to_paint(tensors):
            return Conditioned(tensors, None)
        latents, conditions = start(
            task.schedule,
            task.noise,
            *(
                torch.from_dlpack(tensors[name])
                for name in ("latent_mean", "latent_std", "latent_mask", "prompt_embeds")
            ),
        )
        decoding = self._linear if task.request.recipe.decodes_linearly else Decoding()
        return Conditioned(tensors, Start(latents, conditions, decoding))


async def without_render(task: Task, inputs: Mapping[str, Any]) -> Conditioned | None:
    """The answer's start for a request without a render, which this class of checkpoints paints: it is known
    before any network runs that there is nothing to paint. None if there is a render.

    inputs: of `preprocess`.
    """
    if is_given(compressed(task.inputs["jacket_render"])):
        return None
    return Conditioned(await task.models("preprocess", inputs, FRAME), None)


def start(
    schedule: Schedule,
    noise: Noise,
    latent_mean: torch.Tensor,
    latent_std: torch.Tensor,
    mask: torch.Tensor,
    prompt_embeds: torch.Tensor,
) -> tuple[torch.Tensor, Conditions]:
    """The latents before the first step, and the conditions of every step.

    latent_mean, latent_std: the VAE encoder's output, (N, 4, H/8, W/8). The first row is the composite's, the
        last the conditioning image's; they are the same row if N is 1. All computation is on their device.
    prompt_embeds: with guidance (2, tokens, width), the negative prompt first.
    """
    device = latent_mean.device
    rows = 2 if schedule.recipe.guided else 1

    def draw() -> torch.Tensor:
        return noise.draw(latent_mean[:1].shape, device)

    if schedule.recipe.strength < 1:
        composite = latent_mean[:1] + latent_std[:1] * draw()
        latents = schedule.noised(composite, draw())
    else:
        latents = schedule.pure(draw())
    conditioning = latent_mean[-1:] + latent_std[-1:] * draw()
    channels = torch.cat([mask.to(device), conditioning], dim=1).expand(rows, -1, -1, -1)
    return latents, Conditions(rows, channels, {"prompt_embeds": prompt_embeds[-rows:]})


def make_conditioner(config: ServedConfig, folder: Path, cache: TensorCache) -> SdInpainting:
    """folder: of `tryon`, with the checkpoint's tokenizer. Nothing depends on a garment alone here."""
    prompts = Prompts(folder / "tokenizer.json", config.prompt, config.negative_prompt)
    linear_decoder = LinearDecoder.read(folder / FILE) if (folder / FILE).exists() else None
    return SdInpainting(prompts, linear_decoder)
