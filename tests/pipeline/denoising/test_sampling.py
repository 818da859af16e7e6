"""Jobs on samplers that remember what they are given, without networks."""

import diffusers
import pytest
import torch

from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import Conditions, Denoising
from pipeline.denoising.schedule import Schedule, Schedulers
from pipeline.errors import InvalidInput
from pipeline.recipe import Recipe


class Recording:
    """A sampler that remembers what it is given."""

    order, init_noise_sigma = 1, 1.0

    def set_timesteps(self, count):
        self.timesteps, self.given = torch.arange(count, 0, -1.0), []

    def scale_model_input(self, latents, timestep):
        return latents

    def step(self, prediction, timestep, latents, eta=0.0, variance_noise=None, generator=None):
        self.given.append((prediction, eta, variance_noise))
        return diffusers.schedulers.scheduling_utils.SchedulerOutput(prev_sample=latents)


def conditioned(recipe, recorded=None, **more):
    """A job with two rows whose unconditional row has zeros."""
    sampler = Recording()
    schedule, noise = Schedule(sampler, recipe), Noise(0, recorded)
    rows = torch.tensor([0.0, 1.0])
    conditions = Conditions(
        2, rows[:, None, None, None].expand(2, 3, 8, 8), {"garment": rows[:, None]}, **more
    )
    return Denoising(schedule, conditions, torch.zeros(1, 4, 8, 8), noise), sampler


GUIDED = Recipe(scheduler="DDIMScheduler", steps=4, strength=1, guidance_scale=3.0)


def test_the_two_rows_of_a_guided_job_have_conditions_of_their_own():
    job, sampler = conditioned(GUIDED)
    inputs = job.inputs()
    assert inputs["sample"].shape == (2, 7, 8, 8)
    assert inputs["sample"][:, 4:].flatten(1).unique(dim=1).tolist() == [[0], [1]]
    assert inputs["garment"].tolist() == [[0], [1]]
    job.advance(torch.tensor([1.0, 2.0])[:, None, None, None].expand(2, 4, 8, 8))
    assert sampler.given[0][0].unique().item() == 1 + 3 * (2 - 1), "the unconditional row is the first"


def test_the_last_steps_may_do_without_guidance_and_then_have_the_conditional_row_alone():
    job, _ = conditioned(GUIDED.model_copy(update={"unguided_last_steps": 2}))
    counts = []
    while not job.done:
        inputs = job.inputs()
        counts.append({len(tensor) for tensor in inputs.values()})
        assert inputs["garment"][-1].item() == 1
        job.advance(torch.ones(len(inputs["sample"]), 4, 8, 8))
    assert counts == [{2}, {2}, {1}, {1}]
    assert job.rows == 2, "the scheduler keeps room for the first steps"


async def test_inputs_that_depend_on_the_timestep_are_asked_for_before_each_step():
    asked = []

    async def at_step(step):
        asked.append(step)
        return {"features": torch.full((2, 1), float(step))}

    job, _ = conditioned(GUIDED, at_step=at_step)
    assert job.needs_preparation
    while not job.done:
        await job.prepare()
        assert job.inputs()["features"].unique().item() == job.step
        job.advance(torch.ones(2, 4, 8, 8))
    assert asked == [0, 1, 2, 3]


def test_eta_reaches_the_sampler_and_changes_its_steps():
    recipe = GUIDED.model_copy(update={"guidance_scale": 1.0})

    def latents(eta):
        schedule = Schedulers({}).schedule(recipe.model_copy(update={"eta": eta}))
        job = Denoising(schedule, Conditions(1), torch.ones(1, 4, 8, 8), Noise(1))
        while not job.done:
            job.advance(job.inputs()["sample"] * 0.5)
        return job.latents

    assert not torch.allclose(latents(0.0), latents(1.0))


def test_recorded_noise_takes_the_place_of_draws_in_their_order():
    values = torch.arange(2.0 * 4 * 64 + 3)
    job, sampler = conditioned(GUIDED, values)
    first = job._noise.draw((1, 3))
    assert first.tolist() == [[0, 1, 2]]
    while not job.done:
        job.advance(torch.ones(2, 4, 8, 8))
    noises = [noise for *_, noise in sampler.given]
    assert torch.equal(noises[0].flatten(), values[3 : 3 + 256])
    assert torch.equal(noises[1].flatten(), values[259:])
    assert noises[2:] == [None, None], "a sampler that is told nothing draws by itself"
    with pytest.raises(InvalidInput, match="noise has 515 values"):
        job._noise.draw((1,))


def test_a_job_that_begins_on_the_cpu_goes_on_where_the_network_is():
    """`meta` stands for a GPU: without a move, the first step would mix both devices."""
    job, _ = conditioned(GUIDED)
    job.advance(torch.zeros(2, 4, 8, 8, device="meta"))
    inputs = job.inputs()
    assert {inputs[name].device.type for name in ("sample", "garment")} == {"meta"}
    assert job.latents.device.type == "meta"


@pytest.mark.parametrize(
    ("steps", "strength", "refused"), [(50, 1.0, False), (51, 1.0, True), (30, 0.5, True)]
)
def test_steps_that_the_sampler_cannot_run_are_refused_in_one_sentence(steps, strength, refused):
    """LCM's schedule has no more than the 50 steps that it was distilled from; more was an internal error."""
    recipe = Recipe(scheduler="LCMScheduler", steps=steps, strength=strength, guidance_scale=1.0)
    if not refused:
        assert len(Schedulers({}).schedule(recipe)) == steps
        return
    with pytest.raises(InvalidInput, match=rf"^steps is {steps}.*LCMScheduler.*use fewer steps[^\n]*$"):
        Schedulers({}).schedule(recipe)
