"""Self-attention over a picture that is too large for one matrix of all its tokens.

Person and garment have 24,576 tokens at 1024 × 768: where a runtime does not fuse attention, the matrix of
eight heads takes 19 GB in single precision. Each query's row of it depends on no other query, so the queries
are taken in pieces, one after the other, with the same result.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

# Of one row's matrix, in single precision.
_MOST_BYTES = 1_300_000_000
_LATENT = 8  # pixels of a side for each latent


class InPieces:
    """An attention processor for diffusers' self-attention."""

    def __init__(self, pieces: int):
        self.pieces = pieces

    def __call__(self, attn: Any, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        """(B, N, C) → (B, N, C)"""
        query, key, value = (
            layer(hidden_states).unflatten(-1, (attn.heads, -1)).transpose(1, 2)  # (B, heads, N, d)
            for layer in (attn.to_q, attn.to_k, attn.to_v)
        )
        pieces = query.unflatten(2, (self.pieces, -1))
        parts = [
            scaled_dot_product_attention(pieces[:, :, number], key, value) for number in range(self.pieces)
        ]
        joined = torch.cat(parts, dim=2).transpose(1, 2).flatten(2)
        output: Tensor = attn.to_out[1](attn.to_out[0](joined))
        return output


def in_pieces(unet: Any, resolution: tuple[int, int]) -> Any:
    """The same UNet, in place, with those self-attentions in pieces that need it at the resolution.

    resolution: (height, width), the largest of those that share the graph.
    """
    for name, attn in unet.named_modules():
        if name.endswith(".attn1"):
            count = pieces(resolution, _level(name, len(unet.config.block_out_channels)), attn.heads)
            if count > 1:
                attn.set_processor(InPieces(count))
    return unet


def pieces(resolution: tuple[int, int], level: int, heads: int) -> int:
    """How many: a power of two, so that it divides the tokens of every resolution that shares the graph.

    level: how often the latents were halved.
    """
    height, width = (side // _LATENT >> level for side in resolution)
    tokens = 2 * height * width
    count = 1
    while tokens * tokens * heads * 4 > count * _MOST_BYTES and tokens % (2 * count) == 0:
        count *= 2
    return count


def _level(module: str, levels: int) -> int:
    block, number, *_ = module.split(".")
    if block == "down_blocks":
        return int(number)
    return levels - 1 - (int(number) if block == "up_blocks" else 0)
