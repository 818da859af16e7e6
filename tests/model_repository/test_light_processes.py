"""What the processes around the networks do not load: there are four of them."""

import subprocess
import sys

import pytest

from tests.repository import HAND_WRITTEN

CODE = """
import runpy, sys
from unittest.mock import MagicMock

sys.modules["triton_python_backend_utils"] = MagicMock()
runpy.run_path({model!r})
sys.exit("torch" in sys.modules)
"""


@pytest.mark.parametrize("model", ["preprocess", "postprocess"])
def test_a_model_without_tensors_on_a_device_comes_without_torch(model):
    """It took 110 MB and 1.3 s of processor time in each, for one import at the top of an interface."""
    code = CODE.format(model=str(HAND_WRITTEN / model / "1" / "model.py"))
    subprocess.run([sys.executable, "-c", code], check=True, timeout=200)
