import pytest
import torch

from pipeline.denoising.flow_matching import ShiftedFlowMatching
from tests.families.fashn_vton.vectors import tensors


@pytest.fixture
def sampler():
    return ShiftedFlowMatching.from_config({"shift": 1.5, "_class_name": "ShiftedFlowMatching"})


@pytest.mark.parametrize("steps", [6, 20, 30, 50])
def test_the_schedule_equals_the_upstreams(sampler, steps):
    sampler.set_timesteps(steps)
    assert torch.equal(sampler.timesteps, tensors("schedules")[f"steps{steps}"][:-1])


def test_a_perfect_velocity_ends_at_the_picture(sampler):
    noise, picture = torch.randn(2, 1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    sampler.set_timesteps(5)
    x = noise * sampler.init_noise_sigma
    for timestep in sampler.timesteps:
        stepped = sampler.step(picture - noise, timestep, x)
        torch.testing.assert_close(stepped.pred_original_sample, picture, atol=1e-5, rtol=0)
        x = stepped.prev_sample
    torch.testing.assert_close(x, picture, atol=1e-5, rtol=0)


def test_a_job_may_begin_between_noise_and_picture(sampler):
    noise, picture = torch.randn(2, 1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    sampler.set_timesteps(8)
    sampler.set_begin_index(4)
    x = sampler.add_noise(picture, noise, sampler.timesteps[4:5])
    for timestep in sampler.timesteps[4:]:
        assert torch.equal(sampler.scale_model_input(x, timestep), x)
        x = sampler.step(picture - noise, timestep, x).prev_sample
    torch.testing.assert_close(x, picture, atol=1e-5, rtol=0)
