"""SDXL inpainting, for fine-tuning."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from families.sd_inpainting.tuning import TARGETS, lesson, token_ids, unconditioned

if TYPE_CHECKING:  # importing torch takes seconds
    from torch import Tensor

    from families.family import Loaded

__all__ = ["TARGETS", "TEXT_STAGE", "conditions", "lesson", "tokens", "unconditioned"]

TEXT_STAGE = "sdxl_text_encoder"


def tokens(loaded: "Loaded", captions: Sequence[str]) -> "Mapping[str, Tensor]":
    files = {"input_ids": "tokenizer.json", "input_ids_2": "tokenizer_2.json"}
    return {name: token_ids(loaded.files[file], captions) for name, file in files.items()}


def conditions(
    embedded: "Mapping[str, Tensor]", rows: int, resolution: tuple[int, int]
) -> "Mapping[str, Tensor]":
    import torch

    height, width = resolution
    device = embedded["pooled_embeds"].device
    sizes = torch.tensor([[height, width, 0, 0, height, width]] * rows, dtype=torch.float32, device=device)
    return {**embedded, "time_ids": sizes}
