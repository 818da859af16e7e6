"""A network as the export takes it and the server calls it: a name, shapes and a torch module.

The VAE's two are here since several families share them; a family's other networks are in its folder. Every
input and output is float32 (token ids int32), whatever the precision inside, so that the pipeline is
the same for every profile. The VAE's stages apply its scaling factor: `latents` always have the UNet's scale.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from export.tensorrt_engine import Shapes
from pipeline.recipe import RESOLUTION_STEP


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
    max_batch: rows of the largest batch; None: that of the stage's template in the model repository.
    steps: how long the sides of an input are for each RESOLUTION_STEP pixels, where it has neither the
        pixels' nor the latents' size.
    precision: `fp32` for a network that half precision breaks; None: the export's.
    live: whether keyframes call it. A network that only captures call makes way for the others.
    """

    name: str
    module: nn.Module
    example: dict[str, Tensor]
    outputs: tuple[str, ...]
    further: tuple[dict[str, Tensor], ...] = ()
    steps: Mapping[str, int] = field(default_factory=dict)
    max_batch: int | None = None
    precision: str | None = None
    live: bool = True

    def step(self, name: str) -> int:
        """How long the sides of the input `name` are for each RESOLUTION_STEP pixels."""
        return self.steps.get(name, RESOLUTION_STEP if name == "pixels" else RESOLUTION_STEP // 8)

    @property
    def examples(self) -> tuple[dict[str, Tensor], ...]:
        """The inputs at each resolution."""
        return self.example, *self.further

    @property
    def largest(self) -> dict[str, Tensor]:
        """The inputs to trace with: torch fixes a dynamic side that is a single step long in the example."""
        return max(self.examples, key=lambda example: sum(it.numel() for it in example.values()))

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


def at_resolutions(
    describe: Callable[[tuple[int, int]], list[Stage]], resolutions: Sequence[tuple[int, int]]
) -> list[Stage]:
    """What `describe` gives at the first of the `resolutions` (height, width), with its examples at others
    where their shapes differ."""
    first, *others = map(describe, resolutions)
    return [
        replace(stage, further=tuple(it.example for it in same if it.buckets != stage.buckets))
        for stage, *same in zip(first, *others, strict=True)
    ]
