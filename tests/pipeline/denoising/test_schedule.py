"""What a sampler's import costs the process that steps every job."""

import subprocess
import sys

import pytest

LIGHT = """
import sys
from pipeline.denoising.schedule import sampler_class

assert sampler_class("{name}").__name__ == "{name}"
assert "torch._dynamo" not in sys.modules
import torch._dynamo

assert torch._dynamo.allow_in_graph, "who needs it later gets it"
"""


@pytest.mark.parametrize("name", ["DDIMScheduler", "ShiftedFlowMatching"])
def test_a_sampler_comes_without_torchs_compiler(name):
    """It took a second of a start, and 65 MB."""
    subprocess.run([sys.executable, "-c", LIGHT.format(name=name)], check=True, timeout=200)
