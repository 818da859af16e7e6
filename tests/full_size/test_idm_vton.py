"""`make test-full-size`: IDM-VTON at its real width, with random weights, answers through the real server.

The transformers of its two UNets have two layers instead of ten, since both take 22 GB in single precision;
the layers are alike. It needs 20 GB of memory, 35 GB of disk and some minutes.
"""

import json
import shutil

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from export.checks.random_weights import random_network
from families.idm_vton import full_size
from families.idm_vton.family import IMAGE_ENCODER, UNET
from families.sdxl_inpainting import full_size as sdxl
from tests.families.idm_vton.vectors import CHECKPOINT, job
from tests.full_size import text_encoders
from tests.full_size.answers import assert_both_modes_answer

pytestmark = [pytest.mark.full_size, pytest.mark.timeout(3600)]

RESOLUTION = (256, 192)
LAYERS = (1, 2, 2)  # as full_size has them in single precision


def write(folder):
    """The hub's layout; TryonNet's pickle has the Resampler, too."""
    text_encoders.write(folder)
    shutil.copytree(CHECKPOINT / "scheduler", folder / "scheduler")
    shutil.copy(CHECKPOINT / "model_index.json", folder)
    image_encoder = full_size.describe_stage(IMAGE_ENCODER, torch.float32).module
    image_encoder.tower.save_pretrained(folder / "image_encoder")
    tryon_net = full_size.describe_stage(UNET, torch.float32).module.unet
    tryon_net.save_config(folder / "unet")
    resampler = {f"encoder_hid_proj.{name}": it for name, it in image_encoder.resampler.state_dict().items()}
    torch.save(tryon_net.state_dict() | resampler, folder / "unet" / "diffusion_pytorch_model.bin")
    del tryon_net, image_encoder, resampler
    # SDXL's UNet without its added conditions.
    sizes = {name: it for name, it in sdxl.UNET.items() if not name.startswith(("addition", "projection"))}
    sizes |= {"in_channels": 4, "transformer_layers_per_block": LAYERS}
    for name, make in {
        "unet_encoder": lambda: UNet2DConditionModel(**sizes),
        "vae": lambda: AutoencoderKL(**sdxl.VAE),
    }.items():
        random_network(make, torch.float32).save_pretrained(folder / name)
    recipe = {"scheduler": "DDIMScheduler", "strength": 1, "steps": 2, "unet": UNET}
    config = {"resolution": RESOLUTION, "conditioning": "person", "framing": "cover"}
    config |= {"prompt": "model is wearing {garment}", "negative_prompt": "lowres"}
    config |= {"keyframe": recipe | {"guidance_scale": 1}, "capture": recipe | {"guidance_scale": 2}}
    (folder / "pipeline.json").write_text(json.dumps(config))
    return folder


async def test_networks_of_full_size_answer(tmp_path):
    checkpoint = write(tmp_path / "checkpoint")
    for pixels in await assert_both_modes_answer(checkpoint, tmp_path, UNET, job()):
        assert pixels.shape == (1, 3, *RESOLUTION)
        assert pixels.std() > 0
