"""CatVTON's UNet as it is exported: a UNet for inpainting that reads no text."""

from typing import Any

from torch import Tensor, nn


class PassThrough(nn.Module):
    """In place of a cross-attention: returns what it is given.

    The block adds what it returns: h + LN2(h). So a block's second norm is part of the computation, and only
    the attention's weights are not.
    """

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        return hidden_states


def without_text(unet: Any) -> Any:
    """The same UNet with every cross-attention passed through, in place."""
    for _, block in list(unet.named_modules()):
        if getattr(block, "attn2", None) is not None:
            block.attn2 = PassThrough()
    return unet


class UNet(nn.Module):
    """sample (B, 9, 2·H/8, W/8), timestep (B,) → model_output (B, 4, 2·H/8, W/8).

    The person's half is above, the garment's below. Each row has its own timestep.
    """

    def __init__(self, unet: Any):
        super().__init__()
        self.unet = without_text(unet)

    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        dtype = self.unet.dtype
        output: Tensor = self.unet(sample.to(dtype), timestep, None, return_dict=False)[0]
        return output.float()
