"""How large the proof's networks are, and how long each thing is measured."""

from dataclasses import dataclass
from typing import Any

import torch

from export.stages import Stage, VaeDecoder, VaeEncoder
from families.sd_inpainting import full_size
from families.sd_inpainting.networks import TextEncoder, UNet

TOKENS = 77


@dataclass(frozen=True)
class Size:
    """
    networks: for people.
    text, unet, vae: the configurations of transformers' and diffusers' classes.
    rows: the batches that are measured. seconds: of each figure of a network, at least one run.
    keyframes, captures: how many are timed one after the other.
    sockets: the loads; load_s: how long each lasts. calls: of each way to hand tensors over.
    steps: of denoising at which two devices are compared, on so many scenes.
    """

    networks: str
    resolution: tuple[int, int]
    text: dict[str, Any]
    unet: dict[str, Any]
    vae: dict[str, Any]
    rows: tuple[int, ...]
    seconds: float
    keyframes: int
    captures: int
    sockets: tuple[int, ...]
    load_s: float
    calls: int
    steps: tuple[int, ...]
    scenes: int


SIZES = {
    "sd15": Size(
        networks="Stable Diffusion 1.5 inpainting, random weights",
        resolution=(512, 512),
        text={  # openai/clip-vit-large-patch14
            "vocab_size": 49408,
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
        },
        unet=full_size.UNET,
        vae=full_size.VAE,
        rows=(1, 2, 3, 4, 6, 8, 12, 16),
        seconds=0.4,
        keyframes=60,
        captures=5,
        sockets=(1, 4, 8, 16),
        load_s=8,
        calls=200,
        steps=(1, 4, 25),
        scenes=16,
    ),
    "tiny": Size(
        networks="the smallest that there are: the figures mean nothing",
        resolution=(64, 64),
        text={
            "vocab_size": 1024,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
        },
        unet={
            "sample_size": 8,
            "in_channels": 9,
            "block_out_channels": (16, 32),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "layers_per_block": 1,
            "attention_head_dim": 8,
            "norm_num_groups": 8,
            "cross_attention_dim": 32,
        },
        vae={
            "block_out_channels": (8, 8, 16, 16),
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            "layers_per_block": 1,
            "norm_num_groups": 4,
            "sample_size": 64,
        },
        rows=(1, 2),
        seconds=0,
        keyframes=4,
        captures=1,
        sockets=(1, 2),
        load_s=1,
        calls=3,
        steps=(1, 2),
        scenes=2,
    ),
}


def describe_stages(size: Size, dtype: torch.dtype, device: str = "cpu") -> list[Stage]:
    """The four stages as a family's, with random weights that are made on the device, where it is quick.

    Without a file: the weights of Stable Diffusion 1.5 have 2 GB in half precision.
    """
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from export.checks.random_weights import random_network

    with torch.device(device):
        text = random_network(lambda: CLIPTextModel(CLIPTextConfig(**size.text)), dtype)
        unet = random_network(lambda: UNet2DConditionModel(**size.unet), dtype)
        vae = random_network(lambda: AutoencoderKL(**size.vae), dtype)
    height, width = size.resolution
    latent = (height // 8, width // 8)
    sample = {
        "sample": torch.randn(2, 9, *latent),
        "timestep": torch.tensor([981.0, 261.0]),
        "prompt_embeds": torch.randn(2, TOKENS, size.unet["cross_attention_dim"]),
    }
    tokens = {"input_ids": torch.ones(2, TOKENS, dtype=torch.int32)}
    pixels = {"pixels": torch.randn(2, 3, height, width).clamp(-1, 1)}
    latents = {"latents": torch.randn(2, 4, *latent)}
    return [
        Stage("text_encoder", TextEncoder(text), tokens, ("prompt_embeds",)),
        Stage("vae_encoder", VaeEncoder(vae), pixels, ("latent_mean", "latent_std")),
        Stage("unet", UNet(unet), sample, ("model_output",)),
        Stage("vae_decoder", VaeDecoder(vae), latents, ("pixels",)),
    ]
