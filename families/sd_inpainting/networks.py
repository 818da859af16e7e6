"""Stable Diffusion's text encoder and UNet as they are exported."""

from typing import Any

from torch import Tensor, nn


class TextEncoder(nn.Module):
    """input_ids (B, 77) → prompt_embeds (B, 77, D)."""

    def __init__(self, text_encoder: Any):
        super().__init__()
        self.text_encoder = text_encoder

    def forward(self, input_ids: Tensor) -> Tensor:
        embeds: Tensor = self.text_encoder(input_ids.long())[0]
        return embeds.float()


class UNet(nn.Module):
    """sample (B, 9, H/8, W/8), timestep (B,), prompt_embeds (B, 77, D) → model_output (B, 4, H/8, W/8).

    Each row has its own timestep, since the rows of a batch belong to different jobs.
    """

    def __init__(self, unet: Any):
        super().__init__()
        self.unet = unet

    def forward(self, sample: Tensor, timestep: Tensor, prompt_embeds: Tensor) -> Tensor:
        dtype = self.unet.dtype
        output: Tensor = self.unet(sample.to(dtype), timestep, prompt_embeds.to(dtype), return_dict=False)[0]
        return output.float()
