"""diffusers/stable-diffusion-xl-1.0-inpainting-0.1's networks at their real size, with random weights."""

from typing import Any

import torch

from export.checks.random_weights import random_network
from export.stages import Stage, VaeDecoder, VaeEncoder
from families.sdxl_inpainting.networks import UNet

VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "sample_size": 1024,
    "scaling_factor": 0.13025,
}
UNET: dict[str, Any] = {
    "sample_size": 128,
    "in_channels": 9,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
    "up_block_types": ("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "use_linear_projection": True,
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
STAGES = {"vae_encoder": 34, "vae_decoder": 50, "sdxl_unet": 2567}
# Compiling the whole UNet in single precision would take 34 GB. Its transformer layers repeat: two of the ten
# have every operator, type and shape.
IN_SINGLE = {"sdxl_unet": 900}
_SHALLOW = (1, 2, 2)
TOKENS, POOLED = 77, 1280


def describe_stage(name: str, dtype: torch.dtype) -> Stage:
    from diffusers import AutoencoderKL, UNet2DConditionModel

    side = VAE["sample_size"]
    latent = (side // 8, side // 8)
    if name != "sdxl_unet":
        vae = random_network(lambda: AutoencoderKL(**VAE), dtype)
        if name == "vae_encoder":
            pixels = {"pixels": torch.zeros(2, 3, side, side)}
            return Stage(name, VaeEncoder(vae), pixels, ("latent_mean", "latent_std"))
        return Stage(name, VaeDecoder(vae), {"latents": torch.zeros(2, 4, *latent)}, ("pixels",))
    layers = {"transformer_layers_per_block": _SHALLOW} if dtype == torch.float32 else {}
    unet = random_network(lambda: UNet2DConditionModel(**UNET | layers), dtype)
    inputs = {
        "sample": torch.zeros(2, UNET["in_channels"], *latent),
        "timestep": torch.tensor([981.0, 261.0]),
        "prompt_embeds": torch.zeros(2, TOKENS, UNET["cross_attention_dim"]),
        "pooled_embeds": torch.zeros(2, POOLED),
        "time_ids": torch.zeros(2, 6),
    }
    return Stage(name, UNet(unet), inputs, ("model_output",))
