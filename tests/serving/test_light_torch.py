"""In processes of their own, since torch is imported once."""

import pytest

from serving.light_torch import PROFILE
from tests.serving.own_process import printed

SCRIPT = """
import gc, sys
from serving.light_torch import without_shapes

with without_shapes():
    import torch

assert gc.isenabled()
light = "torch._decomp" not in sys.modules
from pipeline.denoising.schedule import Schedulers
from pipeline.recipe import Recipe

sampler = Schedulers({"prediction_type": "v_prediction"}).fresh("DDIMScheduler")
sampler.set_timesteps(2)
drawn = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(7))
print(light, sampler.step(drawn, sampler.timesteps[0], drawn).prev_sample.sum().item())

import torch._meta_registrations

torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),))
"""


@pytest.fixture(scope="module")
def whole():
    return printed(SCRIPT, {PROFILE: "gpu"})


@pytest.mark.nightly
def test_the_cpu_profile_samples_the_same_without_shapes(whole):
    light, total = printed(SCRIPT, {PROFILE: "cpu"})
    assert light == "True"
    assert total == whole[1]


@pytest.mark.nightly
def test_other_processes_get_all_of_torch(whole):
    assert whole[0] == "False"
