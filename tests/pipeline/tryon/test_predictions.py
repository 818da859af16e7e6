"""Predictions for jobs of several models, on fake models."""

import asyncio

import pytest
import torch

from pipeline.denoising.linear_schedules import Recurrences
from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import Conditions, Denoising
from pipeline.denoising.schedule import Schedulers
from pipeline.denoising.scheduler import Scheduler
from pipeline.denoising.stepper import Stepper
from pipeline.recipe import Recipe
from pipeline.tryon.job import DenoisingJob
from pipeline.tryon.predictions import Predictions
from tests.pipeline.tryon.fakes import Client, outputs


class Models:
    """Two networks: `unet` is slow, and `broken` raises at once."""

    def __init__(self):
        self.running = 0

    async def __call__(self, model, inputs, names):
        if model == "broken":
            raise RuntimeError("out of memory")
        self.running += 1
        await asyncio.sleep(0.02)
        self.running -= 1
        return outputs(model_output=(inputs["sample"] * 0.5).numpy())


def job(model, at_step=None):
    """One that draws noise in each of its steps."""
    recipe = Recipe(scheduler="DDIMScheduler", steps=3, strength=1, guidance_scale=1, eta=1, unet=model)
    schedulers = Schedulers({"clip_sample": False})
    noise = Noise(7)
    denoising = Denoising(
        schedulers.schedule(recipe),
        Conditions(1, at_step=at_step),
        noise.draw((1, 4, 8, 8)),
        noise,
        Recurrences(schedulers).of(recipe),
    )
    return DenoisingJob(denoising, True, Client(), None)


async def picture(*models):
    """The first job's latents, when all run at the same time."""
    stepper = Stepper(Scheduler(8, 1), Predictions(Models(), ()))
    jobs = [job(model) for model in models]
    await asyncio.gather(*(stepper.run(it) for it in jobs), return_exceptions=True)
    assert jobs[0].done
    return jobs[0].denoising.latents


async def test_a_network_that_fails_does_not_change_the_pictures_of_another():
    """The other network's call went on, and drew the noise of a step that was predicted once more."""
    assert torch.equal(await picture("unet", "broken"), await picture("unet"))


async def test_when_it_raises_nothing_runs_any_more():
    models = Models()
    with pytest.raises(RuntimeError, match="out of memory"):
        await Predictions(models, ())([job("broken"), job("unet")])
    assert models.running == 0


async def test_a_job_that_cannot_be_prepared_leaves_no_other_in_preparation():
    """It would put an earlier step's inputs into a job that had gone on."""
    prepared = []

    async def slow(step):
        await asyncio.sleep(0.02)
        prepared.append(step)
        return {}

    async def broken(step):
        raise RuntimeError("no garment")

    with pytest.raises(RuntimeError, match="no garment"):
        await Predictions(Models(), ())([job("unet", broken), job("unet", slow)])
    assert prepared == [0]
