"""In processes of their own, since torch is imported once."""

import os
import subprocess
import sys

import pytest

from serving.light_torch import PROFILE

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


def printed(environment):
    command = [sys.executable, "-c", SCRIPT]
    result = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.fixture(scope="module")
def whole():
    return printed({PROFILE: "gpu"})


@pytest.mark.nightly
def test_the_cpu_profile_samples_the_same_without_shapes(whole):
    light, total = printed({PROFILE: "cpu"})
    assert light == "True"
    assert total == whole[1]


def test_other_processes_get_all_of_torch(whole):
    assert whole[0] == "False"
