"""Stable Diffusion inpainting, for fine-tuning."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from families.tuning import Lesson, Pictures

if TYPE_CHECKING:  # importing torch takes seconds
    from torch import Tensor

    from families.family import Loaded

TEXT_STAGE = "text_encoder"
TARGETS = r".*\.(to_q|to_k|to_v|to_out\.0|proj_in|proj_out|ff\.net\.0\.proj|ff\.net\.2)"


def tokens(loaded: "Loaded", captions: Sequence[str]) -> "Mapping[str, Tensor]":
    return {"input_ids": token_ids(loaded.files["tokenizer.json"], captions)}


def token_ids(tokenizer: bytes, captions: Sequence[str]) -> "Tensor":
    """(N, T) int64, truncated and padded as a request's prompt is."""
    import torch
    from tokenizers import Tokenizer

    encoded = Tokenizer.from_buffer(tokenizer).encode_batch(list(captions))
    return torch.tensor([it.ids for it in encoded])


def lesson(encode: "Callable[[Tensor], Tensor]", pictures: Pictures) -> Lesson:
    import torch

    mask = torch.from_numpy(pictures.latent_mask)
    clean, conditioning = (
        encode(torch.from_numpy(pixels)) for pixels in (pictures.photograph, pictures.pixels[-1:])
    )
    return Lesson(clean, torch.cat([mask, conditioning], dim=1), mask)


def unconditioned(channels: "Tensor") -> "Tensor":
    return channels


def conditions(
    embedded: "Mapping[str, Tensor]", rows: int, resolution: tuple[int, int]
) -> "Mapping[str, Tensor]":
    return embedded
