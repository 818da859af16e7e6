"""The four networks as the server calls them: for each a name, shapes and a torch module.

Every input and output is float32 (token ids int32), whatever the precision inside, so that the pipeline is
the same for every profile. The VAE's stages apply its scaling factor: `latents` always have the UNet's scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from export.checkpoint import Checkpoint
from export.tensorrt_engine import Shapes


class TextEncoder(nn.Module):
    """input_ids (B, 77) → prompt_embeds (B, 77, D)."""

    def __init__(self, text_encoder: Any):
        super().__init__()
        self.text_encoder = text_encoder

    def forward(self, input_ids: Tensor) -> Tensor:
        embeds: Tensor = self.text_encoder(input_ids.long())[0]
        return embeds.float()


class VaeEncoder(nn.Module):
    """pixels (B, 3, H, W) in −1…1 → latent_mean, latent_std, each (B, 4, H/8, W/8).

    It returns the distribution and no sample: `tryon` draws the noise, since it knows the job's seed.
    """

    def __init__(self, vae: Any):
        super().__init__()
        self.vae = vae

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        latents = self.vae.encode(pixels.to(self.vae.dtype)).latent_dist
        scale = self.vae.config.scaling_factor
        return latents.mean.float() * scale, latents.std.float() * scale


class UNet(nn.Module):
    """sample (B, 9, H/8, W/8), timestep (B,), prompt_embeds (B, 77, D) → model_output (B, 4, H/8, W/8).

    Each row has its own timestep, since the rows of a batch belong to different jobs.
    """

    def __init__(self, unet: Any):
        super().__init__()
        self.unet = unet

    def forward(self, sample: Tensor, timestep: Tensor, prompt_embeds: Tensor) -> Tensor:
        dtype = self.unet.dtype
        output: Tensor = self.unet(sample.to(dtype), timestep, prompt_embeds.to(dtype), return_dict=False)[0]
        return output.float()


class VaeDecoder(nn.Module):
    """latents (B, 4, H/8, W/8) → pixels (B, 3, H, W), about −1…1."""

    def __init__(self, vae: Any):
        super().__init__()
        self.vae = vae

    def forward(self, latents: Tensor) -> Tensor:
        latents = (latents / self.vae.config.scaling_factor).to(self.vae.dtype)
        pixels: Tensor = self.vae.decode(latents, return_dict=False)[0]
        return pixels.float()


@dataclass(frozen=True)
class Stage:
    """A network to export.

    example: inputs of batch 2 by name; the first dimension of each is the batch and stays dynamic.
    outputs: the names of its outputs.
    further: examples at further resolutions; a side that differs between them stays dynamic too.
    """

    name: str
    module: nn.Module
    example: dict[str, Tensor]
    outputs: tuple[str, ...]
    further: tuple[dict[str, Tensor], ...] = ()

    @property
    def examples(self) -> tuple[dict[str, Tensor], ...]:
        """The inputs at each resolution."""
        return self.example, *self.further

    @property
    def buckets(self) -> tuple[Shapes, ...]:
        """The inputs' shapes without their batch at each resolution."""
        return tuple(
            {name: tuple(tensor.shape[1:]) for name, tensor in example.items()} for example in self.examples
        )

    def dynamic_sides(self, name: str) -> set[int]:
        """The dimensions of the input `name` that differ between the buckets."""
        shapes = [bucket[name] for bucket in self.buckets]
        return {i + 1 for i, sides in enumerate(zip(*shapes, strict=True)) if len(set(sides)) > 1}


def describe_stages(checkpoint: Checkpoint, resolutions: Sequence[tuple[int, int]]) -> list[Stage]:
    """The checkpoint's four stages for the `resolutions` (height, width), with seeded example inputs."""
    first, *others = (_at(checkpoint, resolution) for resolution in resolutions)
    return [
        replace(stage, further=tuple(it.example for it in same if it.buckets != stage.buckets))
        for stage, *same in zip(first, *others, strict=True)
    ]


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
            VaeEncoder(checkpoint.vae),
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
