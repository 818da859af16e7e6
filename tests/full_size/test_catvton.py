"""`make test-full-size`: CatVTON at its real size, with random weights, answers through the real server.

It needs 12 GB of memory, 12 GB of disk and some minutes. The picture is smaller than the real one, since a
step of that takes minutes on a CPU; the network is the real one.
"""

import json

import pytest
from diffusers import DDIMScheduler
from safetensors.torch import save_file

from families.catvton.attention import NUMBERS, TENSORS, self_attentions
from families.catvton.family import UNET
from families.sd_inpainting import full_size
from tests.families.catvton.vectors import job
from tests.full_size.answers import assert_both_modes_answer

pytestmark = [pytest.mark.full_size, pytest.mark.timeout(3600)]

RESOLUTION = (256, 192)


def write(folder):
    """The three parts: the base's UNet and scheduler, the attention's weights, the VAE."""
    unet = full_size.unet()
    unet.save_pretrained(folder / "base" / "unet")
    DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1).save_pretrained(
        folder / "base" / "scheduler"
    )
    full_size.vae().save_pretrained(folder / "vae")
    attention = folder / "catvton" / "mix-48k-1024" / "attention"
    attention.mkdir(parents=True)
    state = unet.state_dict()
    weights = {
        f"{NUMBERS * number}.{tensor}": state[f"{name}.{tensor}"].clone()
        for number, name in enumerate(self_attentions(unet))
        for tensor in TENSORS
    }
    save_file(weights, attention / "model.safetensors")
    recipe = {"scheduler": "DDIMScheduler", "strength": 1, "steps": 2, "unet": UNET}
    config = {"resolution": RESOLUTION, "conditioning": "person", "framing": "cover", "prompt": ""}
    config |= {"keyframe": recipe | {"guidance_scale": 1}, "capture": recipe | {"guidance_scale": 2.5}}
    (folder / "pipeline.json").write_text(json.dumps(config))
    return folder


async def test_a_network_of_full_size_answers(tmp_path):
    checkpoint = write(tmp_path / "checkpoint")
    for pixels in await assert_both_modes_answer(checkpoint, tmp_path, UNET, job()):
        assert pixels.shape == (1, 3, *RESOLUTION)
        assert pixels.std() > 0
