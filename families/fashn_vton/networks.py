"""The MMDiT in the form that is exported: one step's velocity, from pixels to pixels.

It is Stable Diffusion 3's and FLUX's kind of network (Esser et al., "Scaling Rectified Flow Transformers",
2024): two streams that attend to each other, then one. Here the second stream is the garment's picture.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from families.fashn_vton.blocks import DoubleBlock, SingleBlock, modulated
from families.fashn_vton.rope import RotaryTable
from families.fashn_vton.sizes import COLOURS, GARMENT_CHANNELS, SAMPLE_CHANNELS, TIMESTEP_WIDTH, Sizes

# Timesteps are 0 to 1, and the sinusoids were trained on 0 to 1000.
_TIME_SCALE = 1000.0
_LONGEST_PERIOD = 10_000.0


class PatchEmbedder(nn.Module):
    """(B, C, H, W) → one token for each patch, (B, h, w, D)."""

    def __init__(self, channels: int, width: int, patch: int):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, stride=patch)

    def forward(self, picture: Tensor) -> Tensor:
        return self.proj(picture.to(self.proj.weight.dtype)).permute(0, 2, 3, 1)


class TimestepMlp(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.in_layer = nn.Linear(TIMESTEP_WIDTH, width)
        self.out_layer = nn.Linear(width, width)

    def forward(self, waves: Tensor) -> Tensor:
        return self.out_layer(functional.silu(self.in_layer(waves.to(self.in_layer.weight.dtype))))


class TimestepEmbedder(nn.Module):
    """timestep (B,) in 0…1 → (B, D)."""

    def __init__(self, width: int):
        super().__init__()
        self.mlp = TimestepMlp(width)

    def forward(self, timestep: Tensor) -> Tensor:
        return self.mlp(sinusoids(timestep))


def sinusoids(timestep: Tensor) -> Tensor:
    """[cos a, sin a] with a_k = 1000 · t · 10000^(−k/128): (B, 256) float32, cosines first."""
    half = TIMESTEP_WIDTH // 2
    frequencies = torch.exp(-math.log(_LONGEST_PERIOD) / half * torch.arange(half, dtype=torch.float32))
    angles = (_TIME_SCALE * timestep.float())[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class FinalLayer(nn.Module):
    """Tokens (B, N, D) → patches (B, N, 3 · patch²), colour first."""

    def __init__(self, width: int, patch: int):
        super().__init__()
        self.linear = nn.Linear(width, COLOURS * patch**2)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, tokens: Tensor, vec: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(vec)[:, None].float().chunk(2, dim=-1)
        return self.linear(modulated(tokens, shift, scale).to(vec.dtype))


class MMDiT(nn.Module):
    """
    sample (B, 7, H, W): noisy picture, person (both RGB) and the person's pose
    timestep (B,): 0 (noise) to 1 (picture)
    garment (B, 4, H, W): garment (RGB) and its wearer's pose
    category (B,): 0 none, 1 tops, 2 bottoms, 3 one-pieces
    → model_output (B, 3, H, W): the velocity dx/dt
    """

    def __init__(self, sizes: Sizes):
        super().__init__()
        width, heads, mlp = sizes.width, sizes.heads, sizes.mlp
        self.x_embedder = PatchEmbedder(SAMPLE_CHANNELS, width, sizes.patch)
        self.garment_embedder = PatchEmbedder(GARMENT_CHANNELS, width, sizes.patch)
        self.t_embedder = TimestepEmbedder(width)
        self.y_embedder = nn.Embedding(sizes.categories + 1, width)

        def blocks(kind: type[nn.Module], count: int) -> nn.ModuleList:
            return nn.ModuleList(kind(width, heads, mlp) for _ in range(count))

        self.x_patch_mixer = blocks(SingleBlock, sizes.patch_mixer_blocks)
        self.double_blocks = blocks(DoubleBlock, sizes.double_blocks)
        self.single_blocks = blocks(SingleBlock, sizes.single_blocks)
        self.final_layer = FinalLayer(width, sizes.patch)
        self.sizes = sizes
        self._rope = RotaryTable(sizes.axes, sizes.theta)

    def forward(self, sample: Tensor, timestep: Tensor, garment: Tensor, category: Tensor) -> Tensor:
        img, txt = self.x_embedder(sample), self.garment_embedder(garment)
        height, width = img.shape[1:3]
        img, txt = img.flatten(1, 2).float(), txt.flatten(1, 2).float()
        vec = self.t_embedder(timestep) + self.y_embedder(category)

        cos, sin = self._rope.grid(height, width)
        for block in self.x_patch_mixer:
            img = block(img, vec, (cos, sin))
        both = torch.cat([cos, cos]), torch.cat([sin, sin])
        for block in self.double_blocks:
            img, txt = block(img, txt, vec, both)
        tokens = torch.cat([txt, img], dim=1)
        for block in self.single_blocks:
            tokens = block(tokens, vec, both)
        patches = self.final_layer(tokens[:, txt.shape[1] :], vec).float()

        side = self.sizes.patch
        grid: Any = patches.unflatten(2, (COLOURS, side, side)).unflatten(1, (height, width))
        return grid.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
