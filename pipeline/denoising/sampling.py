"""Denoises one job, from the noised composite to clean latents.

It computes what diffusers' `StableDiffusionInpaintPipeline` computes and draws random numbers in the same
order, so that the same seed gives the same picture. The schedulers are diffusers' own.

    z_t     noisy latents at timestep t                          (1, 4, H/8, W/8)
    m       mask: 1 where the garment is painted                 (1, 1, H/8, W/8)
    c       latents of the conditioning image                    (1, 4, H/8, W/8)
    e       prompt embeddings; the negative prompt's are first   (2, tokens, width)
    g       guidance_scale
"""

import copy
import inspect
from collections.abc import Iterable
from typing import Any

import diffusers
import torch

from pipeline.recipe import Recipe


class Denoising:
    """The state of one job between two steps.

    scheduler: a new one for this job, since diffusers' schedulers keep state.
    latent_mean, latent_std: the VAE encoder's output, (N, 4, H/8, W/8). The first row is the composite's,
        the last the conditioning image's; they are the same row if N is 1. All computation is on their
        device. The noise is drawn on the CPU, so that a seed means the same on every device.

    `predicted` is the clean z_0 that the last step predicted, for previews; z_t itself if the scheduler does
    not return it.
    """

    def __init__(
        self,
        scheduler: Any,
        recipe: Recipe,
        latent_mean: torch.Tensor,
        latent_std: torch.Tensor,
        mask: torch.Tensor,
        prompt_embeds: torch.Tensor,
        seed: int,
    ):
        self._scheduler = scheduler
        self._guidance_scale = recipe.guidance_scale
        self.rows = 2 if recipe.guided else 1
        self.unet = recipe.unet

        count = recipe.schedule_steps
        scheduler.set_timesteps(count)
        start = scheduler.order * (count - int(count * recipe.strength))
        self._timesteps = scheduler.timesteps[start:]
        self._ends_early = recipe.denoising_end < 1
        if self._ends_early:
            self._timesteps = self._timesteps[: scheduler.order * recipe.steps]
        self.steps = len(self._timesteps)
        self.step = 0
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(start)

        generator = torch.Generator().manual_seed(seed)

        def draw() -> torch.Tensor:
            return torch.randn(latent_mean[:1].shape, generator=generator).to(latent_mean.device)

        # z_T = sqrt(ᾱ)·z_composite + sqrt(1 − ᾱ)·ε, or pure noise at full strength
        if recipe.strength < 1:
            image_latents = latent_mean[:1] + latent_std[:1] * draw()
            self.latents = scheduler.add_noise(image_latents, draw(), self._timesteps[:1])
        else:
            self.latents = draw() * scheduler.init_noise_sigma
        self.predicted = self.latents
        conditioning = latent_mean[-1:] + latent_std[-1:] * draw()

        mask = mask.to(latent_mean.device)
        self._mask_and_conditioning = torch.cat([mask, conditioning], dim=1).expand(self.rows, -1, -1, -1)
        self.prompt_embeds = prompt_embeds[-self.rows :]
        accepted = inspect.signature(scheduler.step).parameters
        self._step_options = {"generator": generator} if "generator" in accepted else {}

    @property
    def done(self) -> bool:
        return self.step == self.steps

    @property
    def timestep(self) -> torch.Tensor:
        """The timestep of the next step for each row: (rows,) float32."""
        return self._timesteps[self.step].float().expand(self.rows)

    @property
    def sample(self) -> torch.Tensor:
        """The UNet's input for the next step: [z_t, m, c], (rows, 9, H/8, W/8)."""
        latents = self._scheduler.scale_model_input(self.latents, self._timesteps[self.step])
        return torch.cat([latents.expand(self.rows, -1, -1, -1), self._mask_and_conditioning], dim=1)

    def advance(self, prediction: torch.Tensor) -> None:
        """z_t → z_{t−1}, from the UNet's prediction, (rows, 4, H/8, W/8).

        Raises ValueError for a prediction of another shape, which torch might broadcast to a wrong picture.
        """
        expected = (self.rows, *self.latents.shape[1:])
        if prediction.shape != expected:
            raise ValueError(
                f"the UNet's prediction has shape {tuple(prediction.shape)}, expected {expected}"
            )
        # v = v_negative + g·(v_prompt − v_negative)
        if self.rows == 2:
            negative, positive = prediction.chunk(2)
            prediction = negative + self._guidance_scale * (positive - negative)
        timestep = self._timesteps[self.step]
        stepped = self._scheduler.step(prediction, timestep, self.latents, **self._step_options)
        self.latents = stepped.prev_sample
        predicted = getattr(stepped, "pred_original_sample", None)
        self.predicted = self.latents if predicted is None else predicted
        self.step += 1
        if self.done and self._ends_early:
            self.latents = self.predicted


class Schedulers:
    """Makes new diffusers schedulers with the checkpoint's configuration.

    Each is a copy of one that has taken no step; making it from the configuration takes six times as long.
    """

    def __init__(self, config: dict[str, Any]):
        self._config = config
        self._unused: dict[str, Any] = {}

    def warm_up(self, recipes: Iterable[Recipe]) -> None:
        """Trigger diffusers' lazy imports before the first request."""
        for recipe in recipes:
            self.fresh(recipe.scheduler).set_timesteps(recipe.steps)

    def fresh(self, name: str) -> Any:
        """A new scheduler of the class `name`."""
        if name not in self._unused:
            self._unused[name] = getattr(diffusers, name).from_config(self._config)
        return copy.deepcopy(self._unused[name])
