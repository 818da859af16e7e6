"""Stable Diffusion's four stages, whose folders in the model repository are written by hand."""

from collections.abc import Sequence

import torch
from torch import Tensor

from export.errors import ExportError
from export.stages import Stage, VaeDecoder, VaeEncoder, at_resolutions
from families.sd_inpainting.checkpoint import Checkpoint
from families.sd_inpainting.linear_decoder import FILE, LinearDecoder
from families.sd_inpainting.networks import TextEncoder, UNet
from families.sd_inpainting.patch_encoder import PatchEncoder, simplified
from pipeline.recipe import PipelineConfig

STAGES = ("text_encoder", "vae_encoder", "unet", "vae_decoder")


def describe_stages(checkpoint: Checkpoint, resolutions: Sequence[tuple[int, int]]) -> list[Stage]:
    """The checkpoint's four stages for the `resolutions` (height, width), with seeded example inputs."""
    return at_resolutions(lambda resolution: _at(checkpoint, resolution), resolutions)


def _at(checkpoint: Checkpoint, resolution: tuple[int, int]) -> list[Stage]:
    height, width = resolution
    latent = (height // 8, width // 8)
    tokens = checkpoint.tokenizer.model_max_length
    embed = checkpoint.unet.config.cross_attention_dim
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    vocabulary = checkpoint.text_encoder.config.vocab_size
    input_ids = torch.randint(vocabulary, (2, tokens), generator=generator, dtype=torch.int32)
    return [
        Stage(
            "text_encoder", TextEncoder(checkpoint.text_encoder), {"input_ids": input_ids}, ("prompt_embeds",)
        ),
        Stage(
            "vae_encoder",
            simplified(VaeEncoder(checkpoint.vae)),
            {"pixels": normal(2, 3, height, width).clamp(-1, 1)},
            ("latent_mean", "latent_std"),
        ),
        Stage(
            "unet",
            UNet(checkpoint.unet),
            {
                "sample": normal(2, 9, *latent),
                "timestep": torch.tensor([981.0, 261.0]),
                "prompt_embeds": normal(2, tokens, embed),
            },
            ("model_output",),
        ),
        Stage("vae_decoder", VaeDecoder(checkpoint.vae), {"latents": normal(2, 4, *latent)}, ("pixels",)),
    ]


def linear_decoder_files(config: PipelineConfig, stages: Sequence[Stage]) -> dict[str, bytes]:
    """The file that `tryon` needs beside `pipeline.json`, where a mode decodes linearly.

    Raises ExportError if the encoder is not linear.
    """
    modes = [mode for mode, recipe in config.modes.items() if recipe.decodes_linearly]
    if not modes:
        return {}
    [encoder] = (stage.module for stage in stages if stage.name == "vae_encoder")
    if not isinstance(encoder, PatchEncoder):
        raise ExportError(
            f"pipeline.json: {modes[0]} decodes linearly, but this VAE's encoder is not linear in patches: "
            'use "decoder": "vae"'
        )
    parameters = {name: it.detach() for name, it in encoder.convolution.named_parameters()}
    return {FILE: LinearDecoder.inverse_of(parameters["weight"], parameters["bias"]).file()}
