"""In processes of their own, since diffusers is imported once."""

import pytest

from serving.light_torch import PROFILE
from tests.serving.own_process import printed

SCRIPT = """
import sys, torch
from serving.light_diffusers import without_hub
from pipeline.denoising.schedule import Schedulers

schedulers = Schedulers({"prediction_type": "v_prediction", "beta_schedule": "scaled_linear"})
with without_hub():
    samplers = list(map(schedulers.fresh, ("DDIMScheduler", "LCMScheduler", "EulerDiscreteScheduler")))
print("requests" in sys.modules)
for sampler in samplers:
    sampler.set_timesteps(2)
    drawn = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(7))
    step = sampler.step(drawn, sampler.timesteps[0], drawn, generator=torch.Generator().manual_seed(7))
    print(step.prev_sample.double().sum().item())

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.utils import EntryNotFoundError
import requests
assert callable(requests.get) and HfApi.model_info and callable(hf_hub_download)
assert not any(type(it).__module__ == "serving.light_diffusers" for it in sys.modules.values())
"""


@pytest.mark.nightly  # two processes that import torch and diffusers: 7 s
def test_samplers_compute_the_same_without_the_hub(monkeypatch):
    monkeypatch.delenv(PROFILE, raising=False)
    has_requests, *expected = printed(SCRIPT, {})
    assert has_requests == "True"
    assert printed(SCRIPT, {PROFILE: "cpu"}) == ["False", *expected]
