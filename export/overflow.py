"""Whether a network can run in half precision: how large its activations get on real inputs.

Half precision ends at 65504. Some VAE decoders come near it inside (SDXL's passes it), and then the
picture is black or full of holes, on some inputs only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

HALF_MAX = 65504.0
# Real inputs cannot cover every input: what comes within a factor of two counts as too large.
LIMIT = HALF_MAX / 2


@dataclass(frozen=True)
class Peak:
    """The largest magnitude that any layer gave, and which layer; or the first beyond half precision."""

    value: float
    layer: str

    @property
    def fits_half(self) -> bool:
        return self.value <= LIMIT  # not a number does not


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
    """Latents of generated photographs of people, each (1, 4, H/8, W/8), with the encoder's own noise."""
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
