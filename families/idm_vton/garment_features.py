"""GarmentNet's features at each step of a job, computed once for a garment and kept, if they have room.

They depend on the garment, its prompt and the timestep, and neither on the person nor on the noise. At
1024 × 768 those of one step have 78.6 million values: 157 MB in half precision, 4.7 GB for 30 steps.
Computing them takes 4.5 · 10¹² multiplications, and the denoiser's own two rows 11.5 · 10¹². So:

- They stay where they were computed: to copy those of a step from main memory would take as long.
- On a GPU they are kept in half precision, which its networks compute in; on a CPU in single precision.
- A schedule's are kept only if all of them fit. Of one that does not fit, every step would push out the one
  that is needed next, and nothing would ever be found. It computes them anew in each step.

So the few steps of keyframes, which show the same garment again and again, are kept by default, and those
of a capture, which is made once, are not.
"""

import torch
from torch import Tensor

from families.idm_vton.features import NAMES
from pipeline.tensor_cache import TensorCache, Values
from pipeline.tryon.models import Models

GARMENT_NET = "idm_garment_net"


class GarmentFeatures:
    """
    values_per_latent: of one step's features, for each pixel of the latents.
    max_bytes: of all garments' together.
    """

    def __init__(self, values_per_latent: int, max_bytes: int):
        self._values_per_latent = values_per_latent
        self._max_bytes = max_bytes
        self._cache = TensorCache(max_bytes)

    async def at(
        self, models: Models, key: str, latents: Tensor, prompt_embeds: Tensor, timestep: Tensor, steps: int
    ) -> Values:
        """By name, one row each.

        key: of the garment, its latents and its prompt. latents (1, 4, h, w), prompt_embeds (1, T, D) and
        timestep (1, 1): GarmentNet's inputs. steps: of the job's schedule.
        """
        kept = torch.float16 if latents.is_cuda else torch.float32

        async def compute() -> Values:
            inputs = {"latents": latents, "timestep": timestep, "prompt_embeds": prompt_embeds}
            outputs = await models(GARMENT_NET, inputs, NAMES)
            return {name: torch.from_dlpack(outputs[name]).to(kept) for name in NAMES}

        one_step = self._values_per_latent * latents[0, 0].numel() * kept.itemsize
        if steps * one_step > self._max_bytes:
            return await compute()
        return await self._cache.get(f"{key} at {timestep.item()}", compute)
