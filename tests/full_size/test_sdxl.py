"""`make test-full-size`: SDXL at its real width, with random weights, answers through the real server.

Its transformers have two layers instead of ten, since the whole UNet in single precision takes 21 GB while it
is checked; the layers are alike. It needs 14 GB of memory, 20 GB of disk and some minutes.
"""

import json

import pytest
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel

from export.checks.random_weights import random_network
from families.sdxl_inpainting import full_size
from families.sdxl_inpainting.family import UNET
from tests.full_size import text_encoders
from tests.full_size.answers import assert_both_modes_answer
from tests.tryon_client import keyframe

pytestmark = [pytest.mark.full_size, pytest.mark.timeout(3600)]

RESOLUTION = (256, 256)
LAYERS = (1, 2, 2)


def write(folder):
    text_encoders.write(folder)
    sizes = full_size.UNET | {"transformer_layers_per_block": LAYERS}
    networks = {
        "unet": lambda: UNet2DConditionModel(**sizes),
        "vae": lambda: AutoencoderKL(**full_size.VAE),
    }
    for name, make in networks.items():
        random_network(make, torch.float32).save_pretrained(folder / name)
    EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1).save_pretrained(
        folder / "scheduler"
    )
    index = {
        "_class_name": "StableDiffusionXLInpaintPipeline",
        "text_encoder": ["transformers", "CLIPTextModel"],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    mode = {"scheduler": "EulerDiscreteScheduler", "steps": 2, "strength": 0.6, "unet": UNET}
    config = {"resolution": RESOLUTION, "conditioning": "masked", "prompt": "a {fabric} jacket"}
    config |= {"keyframe": mode | {"guidance_scale": 1}, "capture": mode | {"guidance_scale": 3}}
    (folder / "pipeline.json").write_text(json.dumps(config))
    return folder


async def test_a_network_of_full_size_answers(tmp_path):
    checkpoint = write(tmp_path / "checkpoint")
    for pixels in await assert_both_modes_answer(checkpoint, tmp_path, UNET, keyframe("transparent_no_pose")):
        assert pixels.shape == (1, 3, *RESOLUTION)
        assert pixels.std() > 0
