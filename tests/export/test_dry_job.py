import diffusers
import pytest
import torch

from export.dry_job import PerfectUNet, check_schedulers, scheduler_fault
from export.errors import ExportError
from families.sd_inpainting.recipes import default_config
from pipeline.recipe import Recipe

# Of Stable Diffusion 1.5, and of checkpoints that predict v and have no signal left at the last timestep.
SD15 = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
}
ZERO_SNR = SD15 | {
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "set_alpha_to_one": True,
    "steps_offset": 0,
}
ACCEPTED = {
    "DDIMParallelScheduler",
    "DDIMScheduler",
    "DDPMParallelScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LCMScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "SASolverScheduler",
    "TCDScheduler",
    "UniPCMultistepScheduler",
}
# They need more steps where no signal is left, or run them in an order of their own.
NOT_AT_ZERO_SNR = {"LMSDiscreteScheduler", "PNDMScheduler"}
ALL = sorted(name for name in dir(diffusers) if name.endswith("Scheduler"))


def recipe(scheduler, **changes):
    chosen = {"steps": 4, "strength": 0.5, "guidance_scale": 1} | changes
    return Recipe(scheduler=scheduler, **chosen)


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scheduler", ALL)
def test_every_scheduler_of_diffusers_is_accepted_or_refused(scheduler):
    """26 of them were accepted, and ended Triton or drew noise."""
    recipes = [recipe(scheduler), recipe(scheduler, steps=25, strength=0.6, guidance_scale=5)]
    faults = [scheduler_fault(it, SD15) for it in recipes]
    if scheduler in ACCEPTED:
        assert faults == [None, None]
    else:
        assert all(faults)
        assert not any("\n" in fault for fault in faults)


def test_the_accepted_schedulers_exist():
    assert set(ALL) > ACCEPTED


@pytest.mark.sampled(2)
@pytest.mark.parametrize("scheduler", sorted(ACCEPTED - NOT_AT_ZERO_SNR))
@pytest.mark.parametrize("strength", [0.5, 1])
def test_a_checkpoint_that_predicts_v_may_use_them_too(scheduler, strength):
    assert scheduler_fault(recipe(scheduler, strength=strength), ZERO_SNR) is None


@pytest.mark.parametrize(
    ("scheduler", "fault"),
    [
        ("EDMEulerScheduler", "times the noise"),
        ("DPMSolverMultistepInverseScheduler", "does not come back"),
        ("DPMSolverSDEScheduler", "torchsde"),
        ("FlowMatchEulerDiscreteScheduler", "add_noise"),
        ("RePaintScheduler", "add_noise"),
    ],
)
def test_the_fault_says_what_is_wrong(scheduler, fault):
    assert fault in scheduler_fault(recipe(scheduler), SD15)


def test_a_configuration_that_clips_latents_is_named():
    """DDIM's own default clips pictures, and latents are larger."""
    config = {name: value for name, value in SD15.items() if name != "clip_sample"}
    assert "clip_sample is not false" in scheduler_fault(recipe("DDIMScheduler"), config)


def test_an_unknown_prediction_is_named():
    fault = scheduler_fault(recipe("DDIMScheduler"), SD15 | {"prediction_type": "flow_prediction"})
    assert "predicts 'flow_prediction'" in fault


def test_an_early_end_is_tried_too():
    assert scheduler_fault(recipe("DDIMScheduler", denoising_end=0.5), SD15) is None


def test_the_error_names_mode_and_scheduler():
    config = default_config(64)
    wrong = config.model_copy(update={"capture": recipe("EDMEulerScheduler")})
    check_schedulers(config, SD15)
    with pytest.raises(ExportError, match=r"capture\.scheduler: EDMEulerScheduler cannot serve"):
        check_schedulers(wrong, SD15)


def test_the_perfect_prediction_is_the_papers():
    """z_t = √ᾱ·z_0 + √(1 − ᾱ)·ε, and v = √ᾱ·ε − √(1 − ᾱ)·z_0."""

    class Job:
        rows_now = 1

        @classmethod
        def inputs(cls):
            return {"sample": cls.sample, "timestep": torch.tensor([[500.0]])}

    scheduler = diffusers.DDPMScheduler.from_config(SD15)
    perfect = PerfectUNet(SD15 | {"prediction_type": "v_prediction"})
    noise = torch.randn(perfect.clean.shape, generator=torch.Generator().manual_seed(5))
    timestep = torch.tensor([500])
    Job.sample = scheduler.add_noise(perfect.clean, noise, timestep)
    assert torch.allclose(perfect.noise(Job), noise, atol=1e-4)
    assert torch.allclose(perfect(Job), scheduler.get_velocity(perfect.clean, noise, timestep), atol=1e-4)
