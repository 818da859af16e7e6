"""SDXL's UNet as it is exported."""

from typing import Any

from torch import Tensor, nn


class UNet(nn.Module):
    """sample (B, 9, H/8, W/8), timestep (B,), prompt_embeds (B, 77, D), pooled_embeds (B, E),
    time_ids (B, 6) → model_output (B, 4, H/8, W/8).

    time_ids: height and width of the original, top and left of what was cut out of it, height and width now.
    Each row has its own timestep.
    """

    def __init__(self, unet: Any):
        super().__init__()
        self.unet = unet

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        prompt_embeds: Tensor,
        pooled_embeds: Tensor,
        time_ids: Tensor,
    ) -> Tensor:
        dtype = self.unet.dtype
        output: Tensor = self.unet(
            sample.to(dtype),
            timestep,
            prompt_embeds.to(dtype),
            # Not `.to(dtype)`: the network concatenates them with sinusoids in float32 and casts the result,
            # and torch's exporter writes no cast for a concatenation of two types.
            added_cond_kwargs={"text_embeds": pooled_embeds, "time_ids": time_ids},
            return_dict=False,
        )[0]
        return output.float()
