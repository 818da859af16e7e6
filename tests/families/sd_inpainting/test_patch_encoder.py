"""lucy-tiny's encoder becomes one convolution; others stay as they are."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from export.stages import VaeEncoder
from families.sd_inpainting.patch_encoder import PatchEncoder, simplified
from training.lucy_tiny.scenes import make_scene

LUCY_TINY = Path(__file__).parents[3] / "export" / "checkpoints" / "lucy-tiny"


def encoder_of(folder):
    return VaeEncoder(AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)).eval()


def test_the_shipped_encoder_is_one_convolution_with_the_same_latents():
    encoder = encoder_of(LUCY_TINY)
    found = simplified(encoder)
    assert isinstance(found, PatchEncoder)
    photo = np.moveaxis(make_scene(3, 128).target, 2, 0)[None].astype(np.float32) / 127.5 - 1
    with torch.no_grad():
        (mean, std), (wanted, wanted_std) = found(torch.from_numpy(photo)), encoder(torch.from_numpy(photo))
    assert float((mean - wanted).abs().max()) < 2e-3 * float(wanted.abs().max())
    assert float((std - wanted_std).abs().max()) < 1e-6


def test_an_encoder_that_is_not_linear_stays_itself(checkpoint):
    encoder = encoder_of(checkpoint)
    assert simplified(encoder) is encoder
