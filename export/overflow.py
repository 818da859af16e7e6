"""Whether a network can run in half precision: the size of its activations on realistic inputs.

The largest number in half precision is 65504. Activations of some VAE decoders come near it (SDXL's exceed
it), and then the image is black or full of holes for some inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

HALF_MAX = 65504.0
# The test inputs are not all inputs: activations within a factor of two of the maximum count as too large.
LIMIT = HALF_MAX / 2


@dataclass(frozen=True)
class Peak:
    """The largest output of any layer and that layer; or the first output beyond half precision."""

    value: float
    layer: str

    @property
    def fits_half(self) -> bool:
        return self.value <= LIMIT  # false for NaN


def find_peak(module: nn.Module, inputs: Sequence[Tensor]) -> Peak:
    """Run `module` in its own precision on each of `inputs`, watching every layer's output."""
    peak = Peak(0.0, "")

    def watch(name: str) -> Any:
        def hook(layer: nn.Module, arguments: Any, output: Any) -> None:
            nonlocal peak
            if isinstance(output, Tensor) and output.is_floating_point():
                value = float(output.abs().amax())
                if peak.value <= HALF_MAX and not value <= peak.value:
                    peak = Peak(value, name)

        return hook

    hooks = [layer.register_forward_hook(watch(name)) for name, layer in module.named_modules() if name]
    try:
        with torch.no_grad():
            for example in inputs:
                module(example)
    finally:
        for hook in hooks:
            hook.remove()
    return peak


def real_latents(vae_encoder: nn.Module, resolution: tuple[int, int], count: int = 2) -> list[Tensor]:
    """Latents of generated photographs of people, each (1, 4, H/8, W/8), sampled as the encoder says."""
    import cv2

    from training.lucy_tiny.scenes import make_scene

    generator = torch.Generator().manual_seed(0)
    height, width = resolution
    latents = []
    for seed in range(count):
        photo = make_scene(seed).target
        pixels = cv2.resize(photo, (width, height), interpolation=cv2.INTER_CUBIC)
        tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.no_grad():
            mean, std = vae_encoder(tensor)
        latents.append(mean + std * torch.randn(mean.shape, generator=generator))
    return latents
