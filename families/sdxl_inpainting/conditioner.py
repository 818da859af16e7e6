"""From a request to the inputs of SDXL's inpainting UNet.

It computes what diffusers' `StableDiffusionXLInpaintPipeline` computes, and draws random numbers in the same
order. Beside Stable Diffusion's own conditions the UNet gets the pooled embedding of the prompt, and the
picture's sizes as numbers.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from families.sd_inpainting.conditioner import ENCODE_INPUTS, ENCODED, start, without_render
from pipeline.recipe import Recipe, ServedConfig
from pipeline.tensor_cache import TensorCache
from pipeline.tryon.conditioner import Conditioned, Start, Task, has_nothing_to_paint
from pipeline.tryon.prompts import Prompts

TEXT_ENCODER = "sdxl_text_encoder"
_EMBEDDED = ("prompt_embeds", "pooled_embeds")


class SdxlInpainting:
    """The conditioner of this family.

    prompts: by the two tokenizers, in their order.
    zero_negative: whether the negative prompt's embeddings are zeros.
    """

    def __init__(self, prompts: tuple[Prompts, Prompts], zero_negative: bool):
        self._prompts = prompts
        self._zero_negative = zero_negative

    async def condition(self, task: Task) -> Conditioned:
        inputs = {name: task.inputs[name] for name in ENCODE_INPUTS}
        if (unpainted := await without_render(task, inputs)) is not None:
            return unpainted
        encoded, embedded = await asyncio.gather(
            task.models("encode", inputs, ENCODED), task.models(TEXT_ENCODER, self._ids(task), _EMBEDDED)
        )
        if has_nothing_to_paint(encoded):
            return Conditioned(encoded, None)
        mean, std, mask = (
            torch.from_dlpack(encoded[name]) for name in ("latent_mean", "latent_std", "latent_mask")
        )
        prompt_embeds, pooled_embeds = (torch.from_dlpack(embedded[name]) for name in _EMBEDDED)
        if self._zero_negative and task.request.recipe.guided:
            prompt_embeds, pooled_embeds = _without_negative(prompt_embeds), _without_negative(pooled_embeds)
        latents, conditions = start(task.schedule, task.noise, mean, std, mask, prompt_embeds)
        rows = conditions.rows
        tensors = {
            **conditions.tensors,
            "pooled_embeds": pooled_embeds[-rows:],
            "time_ids": time_ids(task.request.recipe, rows).to(mean.device),
        }
        return Conditioned(encoded, Start(latents, replace(conditions, tensors=tensors)))

    def _ids(self, task: Task) -> dict[str, np.ndarray]:
        first, second = (prompts.input_ids(task.request) for prompts in self._prompts)
        return {"input_ids": first, "input_ids_2": second}


def time_ids(recipe: Recipe, rows: int) -> Tensor:
    """(rows, 6): the picture is whole, so its original size is its own, and nothing is cut away."""
    height, width = recipe.resolution
    return torch.tensor([[height, width, 0, 0, height, width]] * rows, dtype=torch.float32)


def _without_negative(embeds: Tensor) -> Tensor:
    """The first row, the negative prompt's, becomes 0."""
    return torch.cat([torch.zeros_like(embeds[:1]), embeds[1:]])


def make_conditioner(config: ServedConfig, folder: Path, cache: TensorCache) -> SdxlInpainting:
    """folder: of `tryon`, with the checkpoint's tokenizers. Nothing depends on a garment alone here."""
    first, second = (
        Prompts(folder / name, config.prompt, config.negative_prompt)
        for name in ("tokenizer.json", "tokenizer_2.json")
    )
    zero_negative = bool(config.settings.get("zero_negative")) and not config.negative_prompt
    return SdxlInpainting((first, second), zero_negative)
