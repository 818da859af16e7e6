"""The one stage of FASHN VTON: the MMDiT, from pixels to pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from export.stages import Stage
from families.fashn_vton.family import DENOISER
from families.fashn_vton.networks import MMDiT
from families.fashn_vton.sizes import COLOURS, GARMENT_CHANNELS, SAMPLE_CHANNELS

# A row has thousands of tokens and fills a GPU by itself: larger batches take memory and save no time.
MAX_BATCH = 4
# Sides of the pictures that the examples enlarge.
_COARSE = (6, 4)


def describe_stages(network: MMDiT, resolutions: Sequence[tuple[int, int]]) -> list[Stage]:
    """The stage for the `resolutions` (height, width), with seeded example inputs."""
    first, *others = (_example(resolution) for resolution in resolutions)
    patch = network.sizes.patch
    return [
        Stage(
            DENOISER,
            network,
            first,
            ("model_output",),
            tuple(others),
            steps={"sample": patch, "garment": patch},
            max_batch=MAX_BATCH,
        )
    ]


def _example(resolution: tuple[int, int]) -> dict[str, Tensor]:
    """Inputs of batch 2: one without conditions, one with them, as a guided job has them.

    They are soft pictures, and noise on the one that is painted: the export's check finds out whether a
    network's activations are too large for half precision, and does so more surely than with noise alone.
    """
    generator = torch.Generator().manual_seed(0)

    def pictures(channels: int) -> Tensor:
        coarse = torch.randn(2, channels, *_COARSE, generator=generator)
        return functional.interpolate(coarse, size=resolution, mode="bicubic").clamp(-1, 1)

    timestep = torch.tensor([0.1, 0.8])
    sample, garment = pictures(SAMPLE_CHANNELS), pictures(GARMENT_CHANNELS)
    noise = torch.randn(2, COLOURS, *resolution, generator=generator)
    sample[:, :COLOURS] = torch.lerp(noise, sample[:, :COLOURS], timestep[:, None, None, None])
    sample[0, COLOURS:] = garment[0] = 0
    return {
        "sample": sample,
        "timestep": timestep,
        "garment": garment,
        "category": torch.tensor([0, 1], dtype=torch.int32),
    }
