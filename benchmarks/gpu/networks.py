"""The three networks of a try-on pipeline, with random weights, and inputs of their shapes."""

from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn

TOKENS = 77
Inputs = dict[str, Tensor]


class Encoder(nn.Module):
    """pixels (B, 3, H, W) → latents' mean (B, 4, H/8, W/8)."""

    def __init__(self, vae: Any):
        super().__init__()
        self.vae = vae

    def forward(self, pixels: Tensor) -> Tensor:
        return self.vae.encode(pixels).latent_dist.mean


class UNet(nn.Module):
    """sample (B, 9, H/8, W/8), timestep (B,), prompt_embeds (B, 77, D) → prediction (B, 4, H/8, W/8)."""

    def __init__(self, unet: Any):
        super().__init__()
        self.unet = unet

    def forward(self, sample: Tensor, timestep: Tensor, prompt_embeds: Tensor) -> Tensor:
        return self.unet(sample, timestep, prompt_embeds, return_dict=False)[0]


class Decoder(nn.Module):
    """latents (B, 4, H/8, W/8) → pixels (B, 3, H, W)."""

    def __init__(self, vae: Any):
        super().__init__()
        self.vae = vae

    def forward(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents, return_dict=False)[0]


def make_networks(tiny: bool, device: str, dtype: torch.dtype) -> dict[str, nn.Module]:
    """The architecture of stable-diffusion-v1-5/stable-diffusion-inpainting, or the smallest possible one."""
    torch.manual_seed(0)
    widths, vae_widths = (
        ((32, 64), (32, 32, 32, 32)) if tiny else ((320, 640, 1280, 1280), (128, 256, 512, 512))
    )
    crossing = len(widths) - 1
    unet = UNet2DConditionModel(
        in_channels=9,
        block_out_channels=widths,
        down_block_types=("CrossAttnDownBlock2D",) * crossing + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * crossing,
        attention_head_dim=8,
        cross_attention_dim=32 if tiny else 768,
        layers_per_block=1 if tiny else 2,
    )
    vae = AutoencoderKL(
        block_out_channels=vae_widths,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1 if tiny else 2,
    )
    networks = {"vae_encoder": Encoder(vae), "unet": UNet(unet), "vae_decoder": Decoder(vae)}
    return {name: it.eval().requires_grad_(False).to(device, dtype) for name, it in networks.items()}


def make_inputs(stage: str, network: nn.Module, resolution: tuple[int, int], batch: int) -> Inputs:
    weight = next(network.parameters())
    height, width = resolution[0] // 8, resolution[1] // 8

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, device=weight.device, dtype=weight.dtype)

    if stage == "vae_encoder":
        return {"pixels": normal(3, 8 * height, 8 * width)}
    if stage == "vae_decoder":
        return {"latents": normal(4, height, width)}
    width_of_embeds = network.unet.config.cross_attention_dim
    timestep = torch.full((batch,), 500.0, device=weight.device, dtype=weight.dtype)
    sample, prompt_embeds = normal(9, height, width), normal(TOKENS, width_of_embeds)
    return {"sample": sample, "timestep": timestep, "prompt_embeds": prompt_embeds}
