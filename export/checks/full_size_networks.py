"""Networks of the size of public checkpoints, with random weights, for what lucy-tiny is too small to show.

The configurations are those of stable-diffusion-v1-5/stable-diffusion-inpainting and
diffusers/stable-diffusion-xl-1.0-inpainting-0.1.
"""

from typing import Any

import torch
from torch import Tensor, nn

from export.stages import Stage, VaeDecoder, VaeEncoder
from families.sd_inpainting.networks import UNet

_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
VAE: dict[str, dict[str, Any]] = {
    "sd15": {**_VAE, "sample_size": 512, "scaling_factor": 0.18215},
    "sdxl": {**_VAE, "sample_size": 1024, "scaling_factor": 0.13025},
}
UNET: dict[str, dict[str, Any]] = {
    "sd15": {
        "sample_size": 64,
        "in_channels": 9,
        "block_out_channels": (320, 640, 1280, 1280),
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        "attention_head_dim": 8,
        "cross_attention_dim": 768,
    },
    "sdxl": {
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
    },
}
# Two of the ten transformer layers of the deepest blocks, which are all alike.
UNET["sdxl-shallow"] = {**UNET["sdxl"], "transformer_layers_per_block": (1, 2, 2)}
TOKENS = 77


class SdxlUNet(nn.Module):
    """Like `stages.UNet`, with SDXL's two further inputs: text_embeds (B, 1280) and time_ids (B, 6)."""

    def __init__(self, unet: Any):
        super().__init__()
        self.unet = unet

    def forward(
        self, sample: Tensor, timestep: Tensor, prompt_embeds: Tensor, text_embeds: Tensor, time_ids: Tensor
    ) -> Tensor:
        dtype = self.unet.dtype
        output: Tensor = self.unet(
            sample.to(dtype),
            timestep,
            prompt_embeds.to(dtype),
            # Not `.to(dtype)`: the network concatenates them with sinusoids in float32 and casts the result,
            # and torch's exporter writes no cast for a concatenation of two types.
            added_cond_kwargs={"text_embeds": text_embeds, "time_ids": time_ids},
            return_dict=False,
        )[0]
        return output.float()


def unet(name: str, dtype: torch.dtype = torch.float32) -> Any:
    """name: "sd15", "sdxl" or "sdxl-shallow". Weights created in half precision take half the memory."""
    from diffusers import UNet2DConditionModel

    return _random(UNet2DConditionModel, UNET[name], dtype)


def vae(name: str, dtype: torch.dtype = torch.float32) -> Any:
    from diffusers import AutoencoderKL

    return _random(AutoencoderKL, VAE[name], dtype)


def _random(network: Any, config: dict[str, Any], dtype: torch.dtype) -> Any:
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        return network(**config).eval().requires_grad_(False)
    finally:
        torch.set_default_dtype(before)


def describe_stage(name: str, stage: str, dtype: torch.dtype) -> Stage:
    """One stage: "vae_encoder", "unet" or "vae_decoder"; "sdxl-shallow" has only a UNet."""
    side = VAE[name.removesuffix("-shallow")]["sample_size"]
    latent = (side // 8, side // 8)
    if stage == "vae_encoder":
        pixels = {"pixels": torch.zeros(2, 3, side, side)}
        return Stage(stage, VaeEncoder(vae(name, dtype)), pixels, ("latent_mean", "latent_std"))
    if stage == "vae_decoder":
        return Stage(
            stage, VaeDecoder(vae(name, dtype)), {"latents": torch.zeros(2, 4, *latent)}, ("pixels",)
        )
    inputs = {
        "sample": torch.zeros(2, 9, *latent),
        "timestep": torch.tensor([981.0, 261.0]),
        "prompt_embeds": torch.zeros(2, TOKENS, UNET[name]["cross_attention_dim"]),
    }
    if name == "sd15":
        return Stage(stage, UNet(unet(name, dtype)), inputs, ("model_output",))
    inputs |= {"text_embeds": torch.zeros(2, 1280), "time_ids": torch.zeros(2, 6)}
    return Stage(stage, SdxlUNet(unet(name, dtype)), inputs, ("model_output",))
