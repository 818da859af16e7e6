"""Recurrences against the samplers that they come from."""

import asyncio
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.denoising import linear_schedules
from pipeline.denoising.linear_schedules import NotLinear, Recurrences, derive
from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import Conditions, Denoising, advanced
from pipeline.denoising.schedule import Schedulers
from pipeline.recipe import Recipe

SD = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
    "set_alpha_to_one": False, "steps_offset": 1,
}  # fmt: skip
V = SD | {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
SAMPLERS = [
    ("DDIMScheduler", SD, {}),
    ("DDIMScheduler", V, {}),
    ("DDIMScheduler", SD, {"eta": 1.0}),
    ("DDPMScheduler", SD, {}),
    ("EulerDiscreteScheduler", SD, {}),
    ("EulerAncestralDiscreteScheduler", SD, {}),
    ("LCMScheduler", SD, {}),
    ("DPMSolverMultistepScheduler", SD, {}),
    ("DPMSolverMultistepScheduler", SD | {"use_karras_sigmas": True, "solver_order": 3}, {}),
    ("DPMSolverMultistepScheduler", SD | {"algorithm_type": "sde-dpmsolver++"}, {}),
    ("UniPCMultistepScheduler", SD, {}),
    ("UniPCMultistepScheduler", V | {"solver_order": 3}, {}),
    ("PNDMScheduler", SD | {"skip_prk_steps": True}, {}),
    ("ShiftedFlowMatching", {"shift": 1.5}, {}),
]
NAMES = [f"{name}-{len(config)}-{more}" for name, config, more in SAMPLERS]


def recipe(name, steps=6, strength=1.0, guidance_scale=5.0, **more):
    return Recipe(scheduler=name, steps=steps, strength=strength, guidance_scale=guidance_scale, **more)


def begin(schedulers, wanted, seed=0, linear=True, side=4):
    schedule = schedulers.schedule(wanted)
    recurrence = Recurrences(schedulers).of(wanted) if linear else None
    noise = Noise(seed)
    latents = schedule.pure(noise.draw((1, 4, side, side)))
    return Denoising(schedule, Conditions(2 if wanted.guided else 1), latents, noise, recurrence)


def predictions(job, step):
    given = torch.Generator().manual_seed(step)
    return torch.randn(job.rows_now, *job.latents.shape[1:], generator=given)


def run_together(jobs):
    while active := [job for job in jobs if not job.done]:
        for job, made in zip(
            active, advanced(active, [predictions(it, it.step) for it in active]), strict=True
        ):
            job.advance(made)


def run_alone(job):
    """On the sampler's own arithmetic; yields after each step."""
    while not job.done:
        job.advance(predictions(job, job.step))
        yield job


def agree(ours, theirs):
    scale = theirs.abs().max().clamp(min=1)
    return float((ours - theirs).abs().max() / scale) < 1e-4


@pytest.mark.parametrize(("name", "config", "more"), SAMPLERS, ids=NAMES)
def test_every_step_is_the_samplers_own(name, config, more):
    schedulers = Schedulers(config)
    wanted = recipe(name, **more)
    job = begin(schedulers, wanted)
    assert Recurrences(schedulers).of(wanted) is not None, (
        "no recurrence was found: the test would compare nothing"
    )
    for theirs in run_alone(begin(schedulers, wanted, linear=False)):
        [made] = advanced([job], [predictions(job, job.step)])
        job.advance(made)
        assert agree(job.latents, theirs.latents), f"latents after step {job.step}"
        assert agree(job.predicted, theirs.predicted), f"predicted clean latents after step {job.step}"
        assert torch.equal(job._noise.generator.get_state(), theirs._noise.generator.get_state())


@settings(max_examples=40)
@given(
    st.sampled_from(SAMPLERS),
    st.integers(1, 30),
    st.floats(0.3, 1.0),
    st.floats(0, 12),
    st.integers(0, 30),
    st.sampled_from([1.0, 0.6]),
)
def test_for_every_schedule(sampler, steps, strength, guidance, unguided, end):
    name, config, more = sampler
    schedulers = Schedulers(config)
    if name in ("LCMScheduler", "PNDMScheduler"):  # LCM was distilled for 50 steps; PNDM begins at the first
        steps, strength, end = min(steps, 15), 1.0, 1.0
    wanted = recipe(
        name, steps, strength, guidance, unguided_last_steps=min(unguided, steps), denoising_end=end, **more
    )
    job = begin(schedulers, wanted)
    *_, theirs = run_alone(begin(schedulers, wanted, linear=False))
    run_together([job])
    assert agree(job.latents, theirs.latents)


def test_jobs_of_all_samplers_and_lengths_advance_together():
    jobs, alone = [], []
    for seed, (name, config, more) in enumerate(SAMPLERS):
        schedulers = Schedulers(config)
        wanted = recipe(name, 3 + seed % 4, guidance_scale=5.0 if seed % 2 else 1.0, **more)
        jobs.append(begin(schedulers, wanted, seed))
        alone.append(begin(schedulers, wanted, seed, linear=False))
    run_together(jobs)
    for job, other in zip(jobs, alone, strict=True):
        assert list(run_alone(other))
        assert agree(job.latents, other.latents)


@pytest.mark.parametrize("more", [{"clip_sample": True}, {"thresholding": True}])
def test_a_sampler_that_clips_keeps_its_own_arithmetic(more):
    schedulers = Schedulers(SD | more)
    with pytest.raises(NotLinear, match="DDIMScheduler"):
        derive(schedulers.schedule(recipe("DDIMScheduler")))
    wanted = recipe("DDIMScheduler")
    assert Recurrences(schedulers).of(wanted) is None
    job = begin(schedulers, wanted)
    prediction = predictions(job, 0)
    assert advanced([job], [prediction])[0] is prediction


def test_a_recurrence_is_derived_once():
    recurrences = Recurrences(Schedulers(SD))
    assert recurrences.of(recipe("UniPCMultistepScheduler")) is recurrences.of(
        recipe("UniPCMultistepScheduler")
    )


def test_the_one_that_was_used_longest_ago_is_forgotten(monkeypatch):
    """The one that was derived first went, though every user had it."""
    monkeypatch.setattr(linear_schedules, "MAX_RECURRENCES", 2)
    recurrences = Recurrences(Schedulers(SD))
    everybodys, other, third = (recipe("DDIMScheduler", steps) for steps in (1, 2, 3))
    kept = recurrences.of(everybodys)
    for wanted in (other, everybodys, third):
        recurrences.of(wanted)
    assert recurrences.of(everybodys) is kept


async def test_the_event_loop_goes_on_while_one_is_derived(monkeypatch):
    """Every new guidance scale of one user held up the steps of all others."""
    began, may_end, calls = asyncio.Event(), threading.Event(), []
    loop = asyncio.get_running_loop()

    def slow(schedule):
        calls.append(schedule)
        loop.call_soon_threadsafe(began.set)
        assert may_end.wait(10)
        return derive(schedule)

    monkeypatch.setattr(linear_schedules, "derive", slow)
    recurrences = Recurrences(Schedulers(SD))
    first, second, left = (
        asyncio.create_task(recurrences.derive_beside(recipe("DDIMScheduler"))) for _ in range(3)
    )
    await asyncio.wait_for(began.wait(), 10)
    left.cancel()
    may_end.set()
    assert await first is await second is not None
    assert await recurrences.derive_beside(recipe("DDIMScheduler")) is await first
    assert len(calls) == 1


class Counting(TorchDispatchMode):
    """Counts the operations that compute or copy, which on a GPU are launches of kernels."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        if not function.is_view:
            self.names.append(function.__name__)
        return function(*arguments, **(options or {}))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["DDIMScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"])
def test_the_operations_do_not_grow_with_the_jobs(name):
    schedulers = Schedulers(SD)
    wanted = recipe(name, 25)

    def count(jobs, linear):
        running = [begin(schedulers, wanted, seed, linear) for seed in range(jobs)]
        for _ in range(5):
            made = advanced(running, [predictions(job, job.step) for job in running])
            given = [predictions(job, job.step) for job in running]
            with Counting() as counting:
                made = advanced(running, given)
                for job, one in zip(running, made, strict=True):
                    job.advance(one)
        # The small matrices of factors are filled on the CPU, before they are copied to the GPU.
        return [it for it in counting.names if it not in ("copy_.default", "zeros.default")]

    assert len(count(1, linear=True)) <= 3
    assert len(count(16, linear=True)) <= 3
    assert len(count(16, linear=False)) > 16 * 10
