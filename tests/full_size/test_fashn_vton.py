"""`make test-full-size`: FASHN VTON at its real size, with random weights, answers through the real server.

It needs 12 GB of memory, 10 GB of disk and some minutes. The picture is smaller than the real one, since a
step of that takes minutes on a CPU; the network is the real one.
"""

import json

import pytest
import torch
from safetensors.torch import save_file

from export.checks.random_weights import random_network
from families.fashn_vton.family import DENOISER
from families.fashn_vton.full_size import SIZES
from families.fashn_vton.networks import MMDiT
from tests.families.fashn_vton.vectors import job
from tests.full_size.answers import assert_both_modes_answer

pytestmark = [pytest.mark.full_size, pytest.mark.timeout(3600)]

RESOLUTION = (288, 192)


def write(folder):
    """A checkpoint as on the hub: one file in bfloat16 (2 GB), and how it is served here."""
    folder.mkdir()
    network = random_network(lambda: MMDiT(SIZES), torch.bfloat16)
    save_file(network.state_dict(), folder / "model.safetensors")
    recipe = {"scheduler": "ShiftedFlowMatching", "strength": 1, "steps": 2, "unet": DENOISER}
    config = {"resolution": RESOLUTION, "conditioning": "person", "framing": "contain", "prompt": ""}
    config |= {"keyframe": recipe | {"guidance_scale": 1}, "capture": recipe | {"guidance_scale": 1.5}}
    (folder / "pipeline.json").write_text(json.dumps(config))
    return folder


async def test_a_network_of_full_size_answers(tmp_path):
    checkpoint = write(tmp_path / "checkpoint")
    for pixels in await assert_both_modes_answer(checkpoint, tmp_path, DENOISER, job()):
        assert pixels.shape == (1, 3, 240, 192)
        assert 0 < pixels.std() < 1
