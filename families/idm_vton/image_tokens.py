"""The garment's picture as tokens that TryonNet attends to: CLIP's vision tower and the Resampler."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

# Fixed in the checkpoints' class: tokens of a picture, and the width of an attention head.
QUERIES = 16
_HEAD = 64


class ImageEncoder(nn.Module):
    """pixel_values (B, 3, 224, 224) → image_embeds (B, 16, D). All-zero pixels: the unconditional row's."""

    def __init__(self, tower: Any, resampler: "Resampler"):
        super().__init__()
        self.tower = tower
        self.resampler = resampler

    def forward(self, pixel_values: Tensor) -> Tensor:
        seen = self.tower(pixel_values.to(self.tower.dtype), output_hidden_states=True)
        embeds: Tensor = self.resampler(seen.hidden_states[-2])
        return embeds.float()


class Resampler(nn.Module):
    """hidden_states (B, tokens, V) of the tower → (B, QUERIES, D), by attention of learned queries.

    It is IP-Adapter Plus's; its parameters have the checkpoint's names.
    """

    def __init__(self, hidden: int, width: int, context: int, heads: int, depth: int, factor: int):
        super().__init__()
        self.latents = nn.Parameter(torch.empty(1, QUERIES, width))
        self.proj_in = nn.Linear(hidden, width)
        self.proj_out = nn.Linear(width, context)
        self.norm_out = nn.LayerNorm(context)
        self.layers = nn.ModuleList(
            nn.ModuleList([_Attention(width, heads), _feed_forward(width, factor)]) for _ in range(depth)
        )

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> "Resampler":
        """Sized by the tensors, since no configuration has its sizes. Raises KeyError and ValueError."""
        width = weights["latents"].shape[2]
        depth = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layers."))
        with torch.device("meta"):
            return cls(
                hidden=weights["proj_in.weight"].shape[1],
                width=width,
                context=weights["proj_out.weight"].shape[0],
                heads=weights["layers.0.0.to_q.weight"].shape[0] // _HEAD,
                depth=depth,
                factor=weights["layers.0.1.1.weight"].shape[0] // width,
            )

    def forward(self, hidden_states: Tensor) -> Tensor:
        tokens = self.proj_in(hidden_states)
        # Not len(tokens), which would be a constant of the exported program.
        latents = self.latents.expand(tokens.shape[0], -1, -1)
        for layer in self.layers:
            attention, feed_forward = cast(nn.ModuleList, layer)
            latents = latents + attention(tokens, latents)
            latents = latents + feed_forward(latents)
        embeds: Tensor = self.norm_out(self.proj_out(latents))
        return embeds


class _Attention(nn.Module):
    """Of the queries to the image's tokens and themselves, in this order."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, heads * _HEAD, bias=False)
        self.to_kv = nn.Linear(width, 2 * heads * _HEAD, bias=False)
        self.to_out = nn.Linear(heads * _HEAD, width, bias=False)

    def forward(self, tokens: Tensor, latents: Tensor) -> Tensor:
        latents = self.norm2(latents)
        keys, values = self.to_kv(torch.cat([self.norm1(tokens), latents], dim=1)).chunk(2, dim=-1)
        heads = [it.unflatten(-1, (-1, _HEAD)).transpose(1, 2) for it in (self.to_q(latents), keys, values)]
        output: Tensor = self.to_out(scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))
        return output


def _feed_forward(width: int, factor: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, factor * width, bias=False),
        nn.GELU(),
        nn.Linear(factor * width, width, bias=False),
    )
