"""CatVTON, for fine-tuning: its self-attentions, as upstream has trained them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from families.tuning import Lesson, Pictures

if TYPE_CHECKING:  # importing torch takes seconds
    from torch import Tensor

    from families.family import Loaded

TEXT_STAGE = ""
TARGETS = r".*\.attn1\.(to_q|to_k|to_v|to_out\.0)"


def tokens(loaded: "Loaded", captions: Sequence[str]) -> "Mapping[str, Tensor]":
    return {}


def lesson(encode: "Callable[[Tensor], Tensor]", pictures: Pictures) -> Lesson:
    import torch

    from families.catvton.garment import fitted

    height, width = pictures.photograph.shape[-2:]
    garment = torch.from_numpy(fitted(pictures.garment, (height, width)))
    pixels = torch.from_numpy(pictures.pixels[-1:])
    clean, person, below = (encode(it) for it in (torch.from_numpy(pictures.photograph), pixels, garment))
    mask = torch.from_numpy(pictures.latent_mask)
    masks = torch.cat([mask, torch.zeros_like(mask)], dim=2)
    channels = torch.cat([masks, torch.cat([person, below], dim=2)], dim=1)
    return Lesson(torch.cat([clean, below], dim=2), channels, masks)


def unconditioned(channels: "Tensor") -> "Tensor":
    """Without the garment below."""
    channels = channels.clone()
    channels[:, :, channels.shape[2] // 2 :] = 0
    return channels


def conditions(
    embedded: "Mapping[str, Tensor]", rows: int, resolution: tuple[int, int]
) -> "Mapping[str, Tensor]":
    return {}
