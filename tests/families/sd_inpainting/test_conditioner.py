import functools

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from export.stages import VaeDecoder, VaeEncoder
from families.sd_inpainting.conditioner import start
from families.sd_inpainting.networks import UNet
from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import Denoising
from pipeline.denoising.schedule import Schedule, Schedulers
from pipeline.recipe import Recipe
from tests import tiny_checkpoint

RECIPE = Recipe(scheduler="DDIMScheduler", steps=4, strength=0.6, guidance_scale=1.0)
SCHEDULERS = [
    "DDIMScheduler",
    "DPMSolverMultistepScheduler",
    "EulerAncestralDiscreteScheduler",  # draws noise at every step, scales the model's input
    "HeunDiscreteScheduler",  # two calls of the network for one step
    "LCMScheduler",
    "UniPCMultistepScheduler",
]


@pytest.fixture(scope="module")
def pipeline():
    return tiny_checkpoint.build()


@pytest.fixture(scope="module")
def scene():
    """A composite and a mask of whole latents: (64, 64, 3) uint8 and (64, 64) 0 or 1."""
    random = np.random.default_rng(0)
    composite = random.integers(0, 256, (64, 64, 3), np.uint8)
    mask = np.zeros((64, 64), np.float32)
    mask[16:48, 8:40] = 1
    return composite, mask


def begin(sampler, recipe, mean, std, mask, embeds, seed):
    """A job of the Stable Diffusion family."""
    schedule, noise = Schedule(sampler, recipe), Noise(seed)
    latents, conditions = start(schedule, noise, mean, std, mask, embeds)
    return Denoising(schedule, conditions, latents, noise)


def ours(pipeline, recipe, scene, conditioning, seed=7):
    """The picture that our stages and sampling make, (64, 64, 3) in 0…1."""
    composite, mask = scene
    pixels = torch.from_numpy(composite).permute(2, 0, 1)[None].float() / 127.5 - 1
    images = [pixels] if conditioning == "composite" else [pixels, pixels * torch.from_numpy(1 - mask)]
    with torch.no_grad():
        mean, std = VaeEncoder(pipeline.vae)(torch.cat(images))
        embeds, negative = pipeline.encode_prompt("a denim jacket", "cpu", 1, True, "bad")
        denoising = begin(
            Schedulers(pipeline.scheduler.config).fresh(recipe.scheduler),
            recipe,
            mean,
            std,
            torch.from_numpy(mask[::8, ::8].copy())[None, None],
            torch.cat([negative, embeds]),
            seed,
        )
        unet = UNet(pipeline.unet)
        while not denoising.done:
            inputs = denoising.inputs()
            denoising.advance(unet(**inputs | {"timestep": inputs["timestep"][:, 0]}))
        picture = VaeDecoder(pipeline.vae)(denoising.latents)[0]
    return (picture / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()


def diffusers_own(pipeline, recipe, scene, conditioning, seed=7):
    """The same by StableDiffusionInpaintPipeline, untouched."""
    composite, mask = scene
    pixels = torch.from_numpy(composite).permute(2, 0, 1)[None].float() / 127.5 - 1
    kept = pipeline.scheduler
    pipeline.scheduler = getattr(diffusers, recipe.scheduler).from_config(kept.config)
    try:
        return pipeline(
            "a denim jacket",
            image=Image.fromarray(composite),
            mask_image=Image.fromarray((mask * 255).astype(np.uint8)),
            masked_image_latents=pixels if conditioning == "composite" else None,
            height=64,
            width=64,
            negative_prompt="bad",
            num_inference_steps=recipe.schedule_steps,
            strength=recipe.strength,
            guidance_scale=recipe.guidance_scale,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
        ).images[0]
    finally:
        pipeline.scheduler = kept


@pytest.mark.sampled(12)
@pytest.mark.parametrize("conditioning", ["composite", "masked"])
@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
@pytest.mark.parametrize("strength", [0.6, 1.0])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_same_seed_gives_diffusers_picture(
    pipeline, scene, scheduler, strength, guidance_scale, conditioning
):
    recipe = Recipe(scheduler=scheduler, steps=4, strength=strength, guidance_scale=guidance_scale)
    difference = np.abs(
        ours(pipeline, recipe, scene, conditioning) - diffusers_own(pipeline, recipe, scene, conditioning)
    )
    assert difference.max() < 2e-3


@pytest.fixture(scope="module")
def version_2():
    """As Stable Diffusion 2: v-prediction, OpenCLIP's text encoder, linear projections in the UNet."""
    return tiny_checkpoint.build(version=2)


@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "UniPCMultistepScheduler"])
@pytest.mark.parametrize(("guidance_scale", "strength"), [(1.0, 0.6), (4.0, 1.0)])
def test_version_2_gives_diffusers_picture(version_2, scene, scheduler, guidance_scale, strength):
    recipe = Recipe(scheduler=scheduler, steps=4, strength=strength, guidance_scale=guidance_scale)
    found, expected = (of(version_2, recipe, scene, "masked") for of in (ours, diffusers_own))
    assert np.abs(found - expected).max() < 2e-3
    epsilon = version_2.scheduler
    version_2.scheduler = epsilon.from_config(epsilon.config, prediction_type="epsilon")
    try:
        wrong = ours(version_2, recipe, scene, "masked")
    finally:
        version_2.scheduler = epsilon
    assert np.abs(found - wrong).max() > 0.01, "the checkpoint's kind of prediction counts"


@pytest.mark.parametrize("strength", [0.6, 1.0])
@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "EulerAncestralDiscreteScheduler"])
def test_an_early_end_returns_the_z_0_that_diffusers_predicts_there(
    pipeline, scene, scheduler, strength, monkeypatch
):
    recipe = Recipe(scheduler=scheduler, steps=4, strength=strength, guidance_scale=1.0, denoising_end=0.5)
    kind, calls = getattr(diffusers, scheduler), []
    step = kind.step

    @functools.wraps(step)  # callers look at its signature
    def telling(self, *args, **kwargs):
        result = step(self, *args, **kwargs)
        calls.append(result[1])  # pred_original_sample
        return result

    monkeypatch.setattr(kind, "step", telling)
    diffusers_own(pipeline, recipe, scene, "composite")
    assert len(calls) >= 2 * recipe.steps - 1, "half of the steps are left out"
    with torch.no_grad():
        expected = VaeDecoder(pipeline.vae)(calls[recipe.steps - 1])[0]
    expected = (expected / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()
    calls.clear()
    assert np.abs(ours(pipeline, recipe, scene, "composite") - expected).max() < 2e-3
    assert len(calls) == recipe.steps


@pytest.mark.parametrize(("strength", "end"), [(1.0, 0.5), (0.6, 0.75), (0.25, 0.43), (0.33, 1.0)])
@pytest.mark.parametrize("steps", [1, 4, 25, 100])
def test_the_requested_number_of_steps_is_executed(strength, end, steps):
    recipe = Recipe(
        scheduler="DDIMScheduler", steps=steps, strength=strength, guidance_scale=1.0, denoising_end=end
    )
    latents, embeds = torch.zeros(1, 4, 8, 8), torch.zeros(1, 77, 8)
    scheduler = diffusers.DDIMScheduler(num_train_timesteps=10000)
    job = begin(scheduler, recipe, latents, latents, torch.ones(1, 1, 8, 8), embeds, 0)
    assert job.steps == steps


@pytest.mark.parametrize("strength", [1e-300, 1e-9, 0.02])
def test_a_schedule_that_no_network_has_is_refused_at_once(strength):
    """Counting up to it would keep everybody waiting."""
    with pytest.raises(ValueError, match="fewer steps or a higher strength"):
        RECIPE.override(steps=25, strength=strength)
    assert RECIPE.override(steps=25, strength=0.026).schedule_steps <= 1000


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_concurrent_jobs_do_not_share_a_schedulers_state(scheduler):
    """Schedulers are copies of one: what a job leaves in it would be another's first step."""
    schedulers = Schedulers({})
    recipe = RECIPE.override(scheduler=scheduler)
    mean, mask, embeds = torch.full((1, 4, 8, 8), 0.5), torch.ones(1, 1, 8, 8), torch.zeros(1, 77, 8)

    def started(seed, steps):
        fresh = schedulers.fresh(scheduler)
        return begin(fresh, recipe.override(steps=steps), mean, mean, mask, embeds, seed)

    def step(job):
        inputs = job.inputs()
        job.advance(inputs["sample"][:, :4] * 0.1 + inputs["timestep"].mean() / 1000)

    def lone():
        job = started(1, 4)
        while not job.done:
            step(job)
        return job.latents

    expected = lone()
    beside = started(2, 7)
    step(beside)
    job = started(1, 4)
    while not job.done:
        step(job)
        step(beside)
    assert torch.equal(job.latents, expected)
    assert torch.equal(lone(), expected)
    assert expected.std() > 0.01, "a flat picture proves nothing"


@pytest.mark.parametrize(
    "changed",
    [
        {"steps": 7},
        {"strength": 0.3},
        {"guidance_scale": 6.0},
        {"scheduler": "LCMScheduler"},
        {"denoising_end": 0.5},
    ],
)
def test_every_option_changes_the_latents(pipeline, scene, changed):
    recipe = RECIPE.override(**changed)
    plain, turned = (ours(pipeline, r, scene, "composite") for r in (RECIPE, recipe))
    assert np.abs(plain - turned).max() > 1e-3


def test_the_seed_decides_the_noise(pipeline, scene):
    one, same, other = (ours(pipeline, RECIPE, scene, "composite", seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


@pytest.mark.parametrize("steps", [1, 4, 25, 29])
@pytest.mark.parametrize("strength", [0.05, 0.29, 0.3, 0.6, 0.7, 0.9, 1.0])
def test_an_override_of_steps_is_executed_exactly(steps, strength):
    """int(100 · 0.29) is 28: a count worked out by division alone loses a step."""
    recipe = RECIPE.override(steps=steps, strength=strength)
    latents = torch.zeros(1, 4, 8, 8)
    denoising = begin(
        Schedulers({}).fresh("DDIMScheduler"),
        recipe,
        latents,
        latents,
        latents[:, :1],
        torch.zeros(1, 77, 8),
        seed=0,
    )
    assert denoising.steps == steps


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"steps": 101}, {"strength": 0.0}, {"strength": 1.5}, {"strength": float("nan")},
     {"guidance_scale": -1.0}, {"guidance_scale": float("nan")}],
)  # fmt: skip
def test_an_invalid_override_is_refused_with_its_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RECIPE.override(**wrong)


@pytest.mark.parametrize(
    "scheduler",
    [
        "DDIMScheduler",
        "DPMSolverMultistepScheduler",
        "EulerDiscreteScheduler",
        "LCMScheduler",
        "UniPCMultistepScheduler",
    ],
)
def test_tensors_of_the_vae_stay_on_their_device(pipeline, scheduler):
    """A tensor left on the CPU fails every job, on machines with a GPU only. The `meta` device refuses to
    mix with the CPU just as a GPU does."""
    config = pipeline.scheduler.config
    latents = torch.empty(1, 4, 8, 8, device="meta")
    denoising = begin(
        Schedulers(config).fresh(scheduler),
        Recipe(scheduler=scheduler, steps=4, strength=0.6, guidance_scale=1.0),
        latents,
        latents,
        torch.zeros(1, 1, 8, 8),
        torch.zeros(1, 77, 32),
        seed=0,
    )
    while not denoising.done:
        assert denoising.inputs()["sample"].device.type == "meta"
        denoising.advance(torch.empty(1, 4, 8, 8, device="meta"))
    assert denoising.latents.device.type == "meta"
