"""CatVTON's stages: the VAE's two, and a UNet that sees person and garment one above the other."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from export.stages import Stage, VaeDecoder, VaeEncoder, at_resolutions
from families.catvton.family import UNET
from families.catvton.networks import UNet
from families.catvton.pieces import in_pieces


def describe_stages(unet: Any, vae: Any, resolutions: Sequence[tuple[int, int]]) -> list[Stage]:
    """The stages for the `resolutions` (height, width), with seeded example inputs."""
    network = UNet(in_pieces(unet, max(resolutions, key=math.prod)))
    return at_resolutions(lambda resolution: _at(network, vae, resolution), resolutions)


def _at(unet: UNet, vae: Any, resolution: tuple[int, int]) -> list[Stage]:
    height, width = resolution
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    return [
        Stage(
            "vae_encoder",
            VaeEncoder(vae),
            {"pixels": normal(2, 3, height, width).clamp(-1, 1)},
            ("latent_mean", "latent_std"),
        ),
        Stage(
            UNET,
            unet,
            {
                "sample": normal(2, 9, 2 * height // 8, width // 8),
                "timestep": torch.tensor([981.0, 261.0]),
            },
            ("model_output",),
        ),
        Stage(
            "vae_decoder",
            VaeDecoder(vae),
            {"latents": normal(2, 4, height // 8, width // 8)},
            ("pixels",),
        ),
    ]
