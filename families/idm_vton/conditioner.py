"""From a request to the inputs of TryonNet, IDM-VTON's denoiser.

    z_T      noisy latents                                                    (1, 4, h, w)
    m        mask: 1 where the person is painted                              (1, 1, h, w)
    p, b, g  latents of the person without that region, of the picture of
             the body parts, and of the garment                               (1, 4, h, w)
    f_t      GarmentNet's features of g at timestep t                         (garment_features.py)

TryonNet sees [z_t, m, p, b] in both rows. The guided row also has the prompt, the garment's picture as
tokens, and f_t; the unguided one the negative prompt, the tokens of an empty picture, and zeros for f_t.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from families.idm_vton.densepose import DensePose
from families.idm_vton.features import NAMES
from families.idm_vton.garment import as_picture, pixel_values, pixels, squeezed
from families.idm_vton.garment_features import GarmentFeatures
from families.idm_vton.pose_picture import pose_picture
from families.idm_vton.prompts import Prompts, describe
from families.idm_vton.settings import Settings
from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import AtStep, Conditions
from pipeline.denoising.schedule import Schedule
from pipeline.garment.garment_picture import is_given
from pipeline.recipe import ServedConfig
from pipeline.tensor_cache import TensorCache, Values
from pipeline.tryon.conditioner import Conditioned, Start, Task, compressed, has_nothing_to_paint
from pipeline.tryon.garment_source import GarmentSource
from pipeline.tryon.models import Tensor as Output

TEXT_ENCODER, IMAGE_ENCODER = "idm_text_encoder", "idm_image_encoder"
_PREPARED = ("pixels", "latent_mask", "drawn")
_ENCODED = ("latent_mean", "latent_std")
_EMBEDDED = ("prompt_embeds", "pooled_embeds")


@dataclass(frozen=True)
class Text:
    """What the text encoders made of the negative prompt, the person's and the garment's, (3, …) each."""

    prompt_embeds: Tensor
    pooled_embeds: Tensor


class IdmVton:
    """The conditioner of this family."""

    def __init__(
        self,
        prompts: Prompts,
        features: GarmentFeatures,
        cache: TensorCache,
        densepose: DensePose | None = None,
    ):
        self._densepose = densepose
        self._prompts = prompts
        self._features = features
        self._cache = cache

    async def condition(self, task: Task) -> Conditioned:
        prepared = await task.preprocess(_PREPARED)
        if has_nothing_to_paint(prepared):
            return Conditioned(prepared, None)
        texts = self._texts(task, prepared)
        source = task.garment(prepared)
        key = f"{await source.key()} at {task.request.recipe.resolution}"
        (person, drawn_from), garment, text = await asyncio.gather(
            self._person(task, prepared), self._garment(task, source, key), self._text(task, texts)
        )
        mask = torch.from_dlpack(prepared["latent_mask"])
        latents, conditions, garment_latents = start(task.schedule, task.noise, person, garment, text, mask)
        key = f"{key}, {_digest(garment_latents)}, {texts[-1]}"
        at_step = self._at_step(task, key, garment_latents, text.prompt_embeds[-1:], conditions.rows)
        return Conditioned(
            prepared,
            Start(latents, replace(conditions, at_step=at_step)),
            {"pose_drawing": drawn_from},
        )

    def _texts(self, task: Task, prepared: dict[str, Output]) -> list[str]:
        category = json.loads(prepared["report"].as_numpy()[0])["category"]
        rendered = is_given(compressed(task.inputs["jacket_render"]))
        return self._prompts.texts(describe(task.request, category, rendered))

    async def _text(self, task: Task, texts: list[str]) -> Text:
        embedded = await task.models(TEXT_ENCODER, self._prompts.input_ids(texts), _EMBEDDED)
        return Text(*(torch.from_dlpack(embedded[name]) for name in _EMBEDDED))

    async def _person(self, task: Task, prepared: dict[str, Output]) -> tuple[Values, str]:
        """The latents' distribution of the frame, if it is needed, of the frame without the region, and of
        the body parts; and what these were made from."""
        seen = torch.from_dlpack(prepared["pixels"])
        landmarks, own = compressed(task.inputs["pose"]), compressed(task.pose_image)
        height, width = prepared["mask"].as_numpy().shape
        x, y, crop_width, crop_height = prepared["crop"].as_numpy().tolist()
        window = (x, y, crop_width, crop_height)
        person = as_picture(prepared["pixels"].as_numpy()[0])
        picture, drawn_from = await asyncio.to_thread(
            pose_picture, landmarks, own, (width, height), window, person, self._densepose
        )
        needed = seen if task.request.recipe.strength < 1 else seen[-1:]
        body = torch.from_numpy(pixels(picture)).to(seen.device)
        return await _encode(task, torch.cat([needed, body])), drawn_from

    async def _garment(self, task: Task, source: GarmentSource, key: str) -> Values:
        """The latents' distribution, and `image_embeds` of an empty picture and of the garment's."""

        def work(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            garment = squeezed(picture, task.request.recipe.resolution)
            return pixels(garment), pixel_values(garment)

        async def compute() -> Values:
            seen, values = await asyncio.to_thread(work, await source.picture())
            encoded, tokens = await asyncio.gather(
                _encode(task, torch.from_numpy(seen)),
                task.models(IMAGE_ENCODER, {"pixel_values": values}, ["image_embeds"]),
            )
            return {**encoded, "image_embeds": torch.from_dlpack(tokens["image_embeds"])}

        return await self._cache.get(key, compute)

    def _at_step(
        self, task: Task, key: str, garment_latents: Tensor, prompt_embeds: Tensor, rows: int
    ) -> AtStep:
        schedule = task.schedule

        async def at_step(step: int) -> Values:
            features = await self._features.at(
                task.models, key, garment_latents, prompt_embeds, schedule.timestep(step, 1), len(schedule)
            )
            return {name: _below_zeros(features[name], rows) for name in NAMES}

        return at_step


async def _encode(task: Task, seen: Tensor) -> Values:
    """The distribution of the latents of each picture."""
    encoded = await task.models("vae_encoder", {"pixels": seen.contiguous()}, _ENCODED)
    return {name: torch.from_dlpack(encoded[name]) for name in _ENCODED}


def start(
    schedule: Schedule, noise: Noise, person: Values, garment: Values, text: Text, mask: Tensor
) -> tuple[Tensor, Conditions, Tensor]:
    """The latents before the first step, the conditions that are the same in every step, and g.

    person: `latent_mean` and `latent_std` of the pictures, (N, 4, h, w): the last row is that of the body
        parts, the one before it that of the person without the region, the first of three the frame's.
    garment: the same of its picture, and `image_embeds`. mask: (1, 1, h, w).
    """
    recipe = schedule.recipe
    mean = person["latent_mean"]
    device, shape = mean.device, (1, *mean.shape[1:])

    def sampled(row: int) -> Tensor:
        return mean[row][None] + person["latent_std"][row] * noise.draw(shape, device)

    pure = noise.draw(shape, device)
    without_region, body = sampled(-2), sampled(-1)
    # Not from the job's seed: what is computed from these latents is kept for other jobs.
    drawn = noise.shared(shape).to(device)
    garment_latents = garment["latent_mean"] + garment["latent_std"] * drawn
    latents = schedule.noised(sampled(0), pure) if recipe.strength < 1 else schedule.pure(pure)

    rows = 2 if recipe.guided else 1
    height, width = recipe.resolution
    time_ids = torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32)
    tensors = {
        "prompt_embeds": text.prompt_embeds[:2][-rows:],
        "pooled_embeds": text.pooled_embeds[:2][-rows:],
        "image_embeds": garment["image_embeds"][-rows:],
        "time_ids": time_ids.expand(rows, -1).to(device),
    }
    channels = torch.cat([mask.to(device), without_region, body], dim=1).expand(rows, -1, -1, -1)
    return latents, Conditions(rows, channels, tensors), garment_latents


def _below_zeros(features: Tensor, rows: int) -> Tensor:
    """Zeros for the unguided row, if there is one; and the garment's features."""
    features = features.float()
    return features if rows == 1 else torch.cat([torch.zeros_like(features), features])


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.cpu().contiguous().numpy().data).hexdigest()


def make_conditioner(config: ServedConfig, folder: Path, cache: TensorCache) -> IdmVton:
    """folder: of `tryon`, with the checkpoint's tokenizers, and a DensePose network if there is one."""
    settings = Settings.model_validate(config.settings)
    tokenizers = (folder / "tokenizer.json", folder / "tokenizer_2.json")
    prompts = Prompts(tokenizers, config.prompt, settings.garment_prompt, config.negative_prompt)
    features = GarmentFeatures(settings.values_per_latent, settings.feature_cache_mb << 20)
    densepose = DensePose(folder / settings.densepose) if settings.densepose else None
    return IdmVton(prompts, features, cache, densepose)
