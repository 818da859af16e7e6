"""CatVTON's UNet at its real size with random weights, for what a small checkpoint cannot show.

Its VAE is Stable Diffusion's, whose own module has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from families.catvton.family import UNET
from families.catvton.layout import DEFAULT, VERSIONS

if TYPE_CHECKING:  # importing torch takes seconds, and a list of networks does not need it
    import torch

    from export.stages import Stage

# Without the weights of its cross-attentions, 44 million.
STAGES = {UNET: 816}


def describe_stage(name: str, dtype: torch.dtype) -> Stage:
    import torch

    from export.stages import Stage
    from families.catvton.networks import UNet
    from families.catvton.pieces import in_pieces
    from families.sd_inpainting.full_size import unet

    height, width = VERSIONS[DEFAULT].resolution
    inputs = {
        "sample": torch.zeros(2, 9, 2 * height // 8, width // 8),
        "timestep": torch.tensor([981.0, 261.0]),
    }
    return Stage(name, UNet(in_pieces(unet(dtype), (height, width))), inputs, ("model_output",))
