"""Whether a recipe's scheduler denoises this checkpoint's latents, tried on a whole job without the networks.

diffusers has some fifty schedulers. Many are for other networks: some fail in the middle of a job, and some
run to the end with noise of another scale than the UNet was trained on. A perfect prediction of a known
picture tells them all apart: the right ones come back to that picture.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import diffusers
import torch
from torch import Tensor

from export.errors import ExportError, first_line
from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import Conditions, Denoising
from pipeline.denoising.schedule import OWN, Schedulers
from pipeline.recipe import PipelineConfig, Recipe

# Root mean square error of the result; the clean latents' is 1. Good schedulers stay below 0.13: a few keep
# the noise of their last timestep.
TOLERANCE = 0.2
# The noise's share at the first timestep, relative to what the UNet was trained on.
NOISE = (0.85, 1.15)


def check_schedulers(config: PipelineConfig, scheduler_config: Mapping[str, Any]) -> None:
    """Raises ExportError that names the mode and its scheduler if a recipe does not denoise."""
    # As the server reads it.
    kept = json.loads(json.dumps(dict(scheduler_config)))
    for mode, recipe in config.modes.items():
        if recipe.scheduler in OWN:
            continue  # it denoises what it was written for
        if fault := scheduler_fault(recipe, kept):
            raise ExportError(
                f"{mode}.scheduler: {recipe.scheduler} cannot serve this checkpoint: {fault}; choose another "
                "in its pipeline.json, such as UniPCMultistepScheduler or DDIMScheduler"
            )


def scheduler_fault(recipe: Recipe, scheduler_config: dict[str, Any]) -> str | None:
    """Why the recipe does not denoise with this configuration, or None."""
    schedulers = Schedulers(scheduler_config)
    try:
        perfect = PerfectUNet(scheduler_config)
        # Not the recipe's strength, since a job at full strength begins with pure noise of any scale.
        begun = _begin(schedulers, recipe.model_copy(update={"strength": 0.5, "denoising_end": 1}), perfect)
        noise = float(perfect.noise(begun).std())
        job = _begin(schedulers, recipe, perfect)
        while not job.done:
            job.advance(perfect(job))
    except ExportError as error:
        return str(error)
    except Exception as error:  # a scheduler may fail in any way
        return first_line(error)
    difference = float((job.latents - perfect.clean).square().mean().sqrt())
    if not NOISE[0] <= noise <= NOISE[1]:
        return f"it adds {noise:.1f} times the noise that the UNet was trained on"
    if not math.isfinite(difference):
        return "its result is not finite"
    if difference > TOLERANCE:
        clips = schedulers.fresh(recipe.scheduler).config.get("clip_sample", False)
        return "a perfect prediction does not come back to the clean picture" + (
            ", since clip_sample is not false in its scheduler_config.json" if clips else ""
        )
    return None


class PerfectUNet:
    """Predicts what a UNet of this configuration would predict if it knew the clean latents z_0."""

    def __init__(self, scheduler_config: dict[str, Any]):
        self._kind = scheduler_config.get("prediction_type", "epsilon")
        if self._kind not in ("epsilon", "v_prediction", "sample"):
            raise ExportError(f"its UNet predicts {self._kind!r}, which is not known")
        # ᾱ_t of the training
        self._alphas = diffusers.DDPMScheduler.from_config(scheduler_config).alphas_cumprod.double()
        self.clean = torch.randn(1, 4, 24, 24, generator=torch.Generator().manual_seed(1))

    def __call__(self, job: Denoising) -> Tensor:
        alpha, noise = self._alpha(job), self.noise(job)
        prediction = {
            "epsilon": noise,
            "v_prediction": alpha.sqrt() * noise - (1 - alpha).sqrt() * self.clean,
            "sample": self.clean,
        }[self._kind]
        return prediction.expand(job.rows_now, -1, -1, -1)

    def noise(self, job: Denoising) -> Tensor:
        """ε = (z_t − √ᾱ_t · z_0) / √(1 − ᾱ_t), where z_t is what the UNet sees."""
        alpha = self._alpha(job)
        return (job.inputs()["sample"][:1, :4] - alpha.sqrt() * self.clean) / (1 - alpha).sqrt()

    def _alpha(self, job: Denoising) -> Tensor:
        """ᾱ at a timestep that may lie between two of the training's."""
        last = len(self._alphas) - 1
        timestep = min(max(float(job.inputs()["timestep"][0]), 0.0), float(last))
        before = int(timestep)
        after = min(before + 1, last)
        return torch.lerp(self._alphas[before], self._alphas[after], timestep - before).float()


def _begin(schedulers: Schedulers, recipe: Recipe, perfect: PerfectUNet) -> Denoising:
    schedule, noise = schedulers.schedule(recipe), Noise(0)
    drawn = noise.draw(perfect.clean.shape)
    latents = schedule.noised(perfect.clean, drawn) if recipe.strength < 1 else schedule.pure(drawn)
    return Denoising(schedule, Conditions(2 if recipe.guided else 1), latents, noise)
