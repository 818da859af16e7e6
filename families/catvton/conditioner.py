"""From a request to the inputs of CatVTON's UNet.

Person and garment are one picture, twice as high as the answer: the person above, the garment below. The UNet
denoises both halves, and only the upper one is decoded.

    z_T   noisy latents                                        (1, 4, 2·H/8, W/8)
    m     mask: 1 where the person is painted; 0 below         (1, 1, 2·H/8, W/8)
    p, g  latents of the person without that region, and of the garment     (1, 4, H/8, W/8)

The guided row sees [p; g], the unguided one [p; 0].
"""

import asyncio
from pathlib import Path

import torch
from torch import Tensor

from families.catvton.garment import fitted
from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import Conditions
from pipeline.denoising.schedule import Schedule
from pipeline.recipe import ServedConfig
from pipeline.tensor_cache import TensorCache, Values
from pipeline.tryon.conditioner import Conditioned, Decoding, Start, Task, has_nothing_to_paint
from pipeline.tryon.garment_source import GarmentSource

_PREPARED = ("pixels", "latent_mask", "drawn")
_ENCODED = ("latent_mean", "latent_std")


class CatVton:
    """The conditioner of this family."""

    def __init__(self, cache: TensorCache):
        self._cache = cache

    async def condition(self, task: Task) -> Conditioned:
        prepared = await task.preprocess(_PREPARED)
        if has_nothing_to_paint(prepared):
            return Conditioned(prepared, None)
        pixels = torch.from_dlpack(prepared["pixels"])
        needed = pixels if task.request.recipe.strength < 1 else pixels[-1:]
        person, garment = await asyncio.gather(
            _encode(task, needed.contiguous()), self._garment(task, task.garment(prepared))
        )
        latents, conditions = start(
            task.schedule, task.noise, person, garment, torch.from_dlpack(prepared["latent_mask"])
        )
        height = latents.shape[2] // 2
        upper = Decoding(latents=lambda latents: latents[:, :, :height])
        return Conditioned(prepared, Start(latents, conditions, upper))

    async def _garment(self, task: Task, source: GarmentSource) -> Values:
        resolution = task.request.recipe.resolution

        async def compute() -> Values:
            picture = await source.picture()
            return await _encode(task, torch.from_numpy(await asyncio.to_thread(fitted, picture, resolution)))

        return await self._cache.get(f"{await source.key()} at {resolution}", compute)


async def _encode(task: Task, pixels: Tensor) -> Values:
    """The distribution of the latents of each picture."""
    encoded = await task.models("vae_encoder", {"pixels": pixels}, _ENCODED)
    return {name: torch.from_dlpack(encoded[name]) for name in _ENCODED}


def start(
    schedule: Schedule, noise: Noise, person: Values, garment: Values, mask: Tensor
) -> tuple[Tensor, Conditions]:
    """The latents before the first step, and the conditions of every step.

    person, garment: `latent_mean` and `latent_std` of the pictures, (N, 4, H/8, W/8). The person's first row
        is the frame's, the last that without the region; they are the same row if N is 1.
    mask: (1, 1, H/8, W/8)
    """
    mean = person["latent_mean"]
    device = mean.device
    shape = (1, *mean.shape[1:])

    def sampled(values: Values, row: slice) -> Tensor:
        return values["latent_mean"][row] + values["latent_std"][row] * noise.draw(shape, device)

    pure = noise.draw((1, shape[1], 2 * shape[2], shape[3]), device)
    p, g = sampled(person, slice(-1, None)), sampled(garment, slice(-1, None))
    if schedule.recipe.strength < 1:
        latents = schedule.noised(torch.cat([sampled(person, slice(1)), g], dim=2), pure)
    else:
        latents = schedule.pure(pure)
    unguided, guided = (torch.cat([p, below], dim=2) for below in (torch.zeros_like(g), g))
    mask = mask.to(device)
    masks = torch.cat([mask, torch.zeros_like(mask)], dim=2)
    rows = [unguided, guided] if schedule.recipe.guided else [guided]
    channels = torch.cat([torch.cat([masks, row], dim=1) for row in rows])
    return latents, Conditions(len(rows), channels)


def make_conditioner(config: ServedConfig, folder: Path, cache: TensorCache) -> CatVton:
    """Of the export it needs nothing but the networks."""
    return CatVton(cache)
