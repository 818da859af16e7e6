"""The network at its real size with random weights, for checks that a small one cannot show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from families.fashn_vton.family import DENOISER
from families.fashn_vton.sizes import Sizes

if TYPE_CHECKING:  # importing torch takes seconds, and a list of networks does not need it
    import torch

    from export.stages import Stage

# Of fashn-ai/fashn-vton-1.5.
SIZES = Sizes(
    width=1280,
    heads=10,
    mlp=5120,
    patch=12,
    patch_mixer_blocks=4,
    double_blocks=8,
    single_blocks=16,
    categories=3,
    axes=(16, 56, 56),
    theta=10_000.0,
    picture=(864, 576),
)
# The name of each stage, and its parameters in millions.
STAGES = {DENOISER: 972}


def describe_stage(name: str, dtype: torch.dtype) -> Stage:
    from export.checks.random_weights import random_network
    from families.fashn_vton.networks import MMDiT
    from families.fashn_vton.stages import describe_stages

    [stage] = describe_stages(random_network(lambda: MMDiT(SIZES), dtype), [SIZES.picture])
    return stage
