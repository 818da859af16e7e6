"""The one stage of FASHN VTON: the MMDiT, from pixels to pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from export.stages import Stage
from families.fashn_vton.family import DENOISER
from families.fashn_vton.networks import MMDiT
from families.fashn_vton.sizes import COLOURS, GARMENT_CHANNELS, SAMPLE_CHANNELS

# A row has thousands of tokens and fills a GPU by itself: larger batches take memory and save no time.
MAX_BATCH = 4


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
    """Inputs of batch 2: one with its conditions, one without, as a guided job has them."""
    generator = torch.Generator().manual_seed(0)

    def pictures(channels: int) -> Tensor:
        return torch.randn(2, channels, *resolution, generator=generator).clamp(-1, 1)

    sample, garment = pictures(SAMPLE_CHANNELS), pictures(GARMENT_CHANNELS)
    sample[0, COLOURS:] = garment[0] = 0
    return {
        "sample": sample,
        "timestep": torch.tensor([0.1, 0.8]),
        "garment": garment,
        "category": torch.tensor([0, 1], dtype=torch.int32),
    }
