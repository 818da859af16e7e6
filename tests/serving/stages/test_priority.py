"""Run in processes of their own, since a priority stays lowered."""

import json
import subprocess
import sys

import pytest

from serving.stages.priority import NICENESS

SCRIPT = """
import os, pathlib, sys
from serving.stages.priority import make_way
make_way(pathlib.Path(sys.argv[1]))
print(os.nice(0))
"""


def niceness_after(model):
    return int(subprocess.check_output([sys.executable, "-c", SCRIPT, str(model)]))


@pytest.mark.parametrize(("entry", "more"), [({"live": False}, NICENESS), ({"live": True}, 0), ({}, 0)])
def test_a_network_that_no_keyframe_calls_makes_way(tmp_path, entry, more):
    manifest = {"profile": "cpu", "stages": {"vae_decoder": entry}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    before = niceness_after(tmp_path / "unet" / "1" / "model.onnx")
    assert niceness_after(tmp_path / "vae_decoder" / "1" / "model.onnx") == min(19, before + more)


def test_without_a_manifest_nothing_changes(tmp_path):
    assert niceness_after(tmp_path / "vae_decoder" / "1" / "model.onnx") == niceness_after(
        tmp_path / "x" / "1" / "m"
    )
