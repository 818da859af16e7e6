"""What a sampler's import costs the process that steps every job."""

import inspect
import subprocess
import sys

import pytest

from pipeline.denoising.schedule import Schedulers, sampler_class

LIGHT = """
import sys
from pipeline.denoising.schedule import sampler_class

assert sampler_class("{name}").__name__ == "{name}"
assert "torch._dynamo" not in sys.modules
import torch._dynamo

assert torch._dynamo.allow_in_graph, "who needs it later gets it"
"""
MADE = """
import sys
from pipeline.denoising.schedule import Schedulers

Schedulers({}).fresh("DDIMScheduler")
assert "scipy.stats" not in sys.modules
"""
CONFIG = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "_use_default_values": ["sample_max_value", "timestep_spacing"],
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "prediction_type": "v_prediction",
    "sample_max_value": 3.0,
    "skip_prk_steps": True,
    "timestep_spacing": "trailing",
    "trained_betas": None,
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["DDIMScheduler", "ShiftedFlowMatching"])
def test_a_sampler_comes_without_torchs_compiler(name):
    """It took a second of a start, and 65 MB."""
    subprocess.run([sys.executable, "-c", LIGHT.format(name=name)], check=True, timeout=200)


@pytest.mark.nightly
def test_a_sampler_is_made_without_all_others():
    """It imported SciPy's statistics by them: 1.3 s, and 60 MB."""
    subprocess.run([sys.executable, "-c", MADE], check=True, timeout=200)


@pytest.mark.parametrize(
    "name",
    ["DDIMScheduler", "UniPCMultistepScheduler", "LCMScheduler", "EulerDiscreteScheduler", "PNDMScheduler"],
)
def test_a_sampler_has_the_configuration_that_diffusers_gives_it(name):
    wanted = sampler_class(name).from_config(CONFIG).config
    found = Schedulers(CONFIG).fresh(name).config
    keys = inspect.signature(sampler_class(name).__init__).parameters.keys() - {"self"}
    assert {key: found[key] for key in keys} == {key: wanted[key] for key in keys}
