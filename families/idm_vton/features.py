"""GarmentNet's features, as they cross from one network to the other.

They are one tensor for each depth of the UNets, (B, blocks, height, width, C): two tensors at the real size
instead of 70, and their height and width can be dynamic.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

# How often the latents were halved where SDXL's UNets have transformer blocks.
DEPTHS = (1, 2)
NAMES = tuple(f"garment_features_{depth}" for depth in DEPTHS)


def pack(features: Sequence[Tensor], depths: Sequence[int], size: Sequence[int]) -> tuple[Tensor, ...]:
    """The blocks' tokens, each (B, N, C), as one tensor for each depth.

    depths: of each block (attention.block_depths). size: (height, width) of the latents.
    """
    height, width = size
    return tuple(
        torch.stack(
            [
                tokens.unflatten(1, (height >> depth, width >> depth)).float()
                for tokens, at in zip(features, depths, strict=True)
                if at == depth
            ],
            dim=1,
        )
        for depth in DEPTHS
    )


def unpack(packed: Sequence[Tensor], depths: Sequence[int], dtype: torch.dtype) -> list[Tensor]:
    """The blocks' tokens, each (B, N, C), in the order in which the blocks run."""
    levels = {
        depth: iter(tensor.to(dtype).flatten(2, 3).unbind(1))
        for depth, tensor in zip(DEPTHS, packed, strict=True)
    }
    return [next(levels[depth]) for depth in depths]
