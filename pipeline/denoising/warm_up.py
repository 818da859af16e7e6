"""A job before the first user's: it waits for what every first use of a library or a device sets up."""

from collections.abc import Iterable

import torch

from pipeline.denoising.linear_schedules import Recurrences
from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import Conditions, Denoising, advanced
from pipeline.denoising.schedule import Schedulers
from pipeline.recipe import Recipe

_SHAPE = (1, 4, 8, 8)  # small: kernels and libraries do not depend on it


def warm_up(
    schedulers: Schedulers, recurrences: Recurrences | None, recipes: Iterable[Recipe], device: str
) -> None:
    """Denoise a job of each recipe without a network, as `Pipeline` does on that device.

    On the CPU it triggers diffusers' lazy imports. On a GPU it creates the CUDA context, loads kernels and
    starts the libraries that samplers use, such as cuSOLVER; that takes seconds.
    """
    for recipe in recipes:
        schedule, noise = schedulers.schedule(recipe), Noise(0)
        conditions = Conditions(2 if recipe.guided else 1)
        latents = schedule.pure(noise.draw(_SHAPE, device))
        recurrence = None if recurrences is None else recurrences.of(recipe)
        job = Denoising(schedule, conditions, latents, noise, recurrence)
        while not job.done:
            job.inputs()
            prediction = torch.zeros((job.rows_now, *_SHAPE[1:]), device=device)
            job.advance(advanced([job], [prediction])[0])
