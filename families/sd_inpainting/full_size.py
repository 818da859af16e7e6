"""stable-diffusion-v1-5/stable-diffusion-inpainting's networks at their real size, with random weights."""

from typing import Any

import torch

from export.checks.random_weights import random_network
from export.stages import Stage, VaeDecoder, VaeEncoder
from families.sd_inpainting.networks import UNet

VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "sample_size": 512,
    "scaling_factor": 0.18215,
}
UNET: dict[str, Any] = {
    "sample_size": 64,
    "in_channels": 9,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
}
STAGES = {"vae_encoder": 34, "vae_decoder": 50, "unet": 860}
TOKENS = 77


def unet(dtype: torch.dtype = torch.float32) -> Any:
    from diffusers import UNet2DConditionModel

    return random_network(lambda: UNet2DConditionModel(**UNET), dtype)


def vae(dtype: torch.dtype = torch.float32) -> Any:
    from diffusers import AutoencoderKL

    return random_network(lambda: AutoencoderKL(**VAE), dtype)


def describe_stage(name: str, dtype: torch.dtype) -> Stage:
    latent = (64, 64)
    if name == "vae_encoder":
        pixels = {"pixels": torch.zeros(2, 3, 512, 512)}
        return Stage(name, VaeEncoder(vae(dtype)), pixels, ("latent_mean", "latent_std"))
    if name == "vae_decoder":
        return Stage(name, VaeDecoder(vae(dtype)), {"latents": torch.zeros(2, 4, *latent)}, ("pixels",))
    inputs = {
        "sample": torch.zeros(2, 9, *latent),
        "timestep": torch.tensor([981.0, 261.0]),
        "prompt_embeds": torch.zeros(2, TOKENS, UNET["cross_attention_dim"]),
    }
    return Stage(name, UNet(unet(dtype)), inputs, ("model_output",))
