"""Run in processes of their own, since a priority stays lowered."""

import json
import os
import subprocess
import sys

import pytest

from serving.stages.priority import NICENESS

SCRIPT = """
import os, pathlib, sys
from serving.stages.priority import make_way
lowered = make_way(pathlib.Path(sys.argv[1]))
print(os.nice(0), lowered)
"""


def after(model):
    """The niceness, and whether it was said to be lowered."""
    niceness, lowered = subprocess.check_output([sys.executable, "-c", SCRIPT, str(model)], text=True).split()
    return int(niceness), lowered == "True"


@pytest.mark.parametrize(("entry", "more"), [({"live": False}, NICENESS), ({"live": True}, 0), ({}, 0)])
def test_a_network_that_no_keyframe_calls_makes_way(tmp_path, entry, more):
    manifest = {"profile": "cpu", "stages": {"vae_decoder": entry}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    before, _ = after(tmp_path / "unet" / "1" / "model.onnx")
    assert after(tmp_path / "vae_decoder" / "1" / "model.onnx") == (min(19, before + more), more > 0)


def test_without_a_manifest_nothing_changes(tmp_path):
    assert after(tmp_path / "vae_decoder" / "1" / "model.onnx") == (os.nice(0), False)
