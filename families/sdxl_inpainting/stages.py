"""SDXL's stages: its text encoders and its UNet are its own, and its VAE is any family's."""

from collections.abc import Sequence
from typing import Any

import torch

from export.stages import Stage, VaeDecoder, VaeEncoder, at_resolutions
from families.sdxl_inpainting.checkpoint import Checkpoint
from families.sdxl_inpainting.family import TEXT_ENCODER, UNET
from families.sdxl_inpainting.networks import UNet


def describe_stages(checkpoint: Checkpoint, resolutions: Sequence[tuple[int, int]]) -> list[Stage]:
    """The stages for the `resolutions` (height, width), with seeded example inputs."""
    unet = UNet(checkpoint.unet)
    return at_resolutions(lambda resolution: _at(checkpoint, unet, resolution), resolutions)


def _at(checkpoint: Checkpoint, unet: UNet, resolution: tuple[int, int]) -> list[Stage]:
    height, width = resolution
    latent = (height // 8, width // 8)
    text, vae = checkpoint.text, checkpoint.vae
    # SDXL's own VAE overflows in half precision; one that was mended says so.
    vae_precision = "fp32" if vae.config.force_upcast else None
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    def ids(encoder: Any) -> torch.Tensor:
        shape = (2, text.tokens)
        return torch.randint(encoder.config.vocab_size, shape, generator=generator, dtype=torch.int32)

    return [
        Stage(
            TEXT_ENCODER,
            text.encoders,
            {
                "input_ids": ids(text.encoders.text_encoder),
                "input_ids_2": ids(text.encoders.text_encoder_2),
            },
            ("prompt_embeds", "pooled_embeds"),
        ),
        Stage(
            "vae_encoder",
            VaeEncoder(vae),
            {"pixels": normal(2, 3, height, width).clamp(-1, 1)},
            ("latent_mean", "latent_std"),
            precision=vae_precision,
        ),
        Stage(
            UNET,
            unet,
            {
                "sample": normal(2, 9, *latent),
                "timestep": torch.tensor([981.0, 261.0]),
                "prompt_embeds": normal(2, text.tokens, checkpoint.unet.config.cross_attention_dim),
                "pooled_embeds": normal(2, text.encoders.text_encoder_2.config.projection_dim),
                "time_ids": torch.tensor([[height, width, 0, 0, height, width]] * 2, dtype=torch.float32),
            },
            ("model_output",),
        ),
        Stage(
            "vae_decoder",
            VaeDecoder(vae),
            {"latents": normal(2, 4, *latent)},
            ("pixels",),
            precision=vae_precision,
        ),
    ]
