"""SDXL's two text encoders as one stage; the families of SDXL's class share it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.errors import ExportError, first_line
from export.network import load_network
from export.tokenizer import tokenizer_json

TOKENIZERS = ("tokenizer", "tokenizer_2")


class TextEncoders(nn.Module):
    """input_ids, input_ids_2 (B, 77) → prompt_embeds (B, 77, D + D2), pooled_embeds (B, E).

    Both give the output of their layer before the last; the second's projection is the pooled embedding.
    """

    def __init__(self, text_encoder: Any, text_encoder_2: Any):
        super().__init__()
        self.text_encoder = text_encoder
        self.text_encoder_2 = text_encoder_2

    def forward(self, input_ids: Tensor, input_ids_2: Tensor) -> tuple[Tensor, Tensor]:
        first = self.text_encoder(input_ids.long(), output_hidden_states=True)
        second = self.text_encoder_2(input_ids_2.long(), output_hidden_states=True)
        embeds = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        return embeds.float(), second.text_embeds.float()


@dataclass(frozen=True)
class Text:
    """Both encoders, and their tokenizers in the same order."""

    encoders: TextEncoders
    tokenizers: tuple[Any, Any]

    @property
    def tokens(self) -> int:
        length: int = self.tokenizers[0].model_max_length
        return length

    def tokenizer_files(self) -> dict[str, bytes]:
        """`tokenizer.json` and `tokenizer_2.json`, which truncate and pad as the encoders expect."""
        return {
            f"{name}.json": tokenizer_json(tokenizer)
            for name, tokenizer in zip(TOKENIZERS, self.tokenizers, strict=True)
        }


def load_text(folder: Path) -> Text:
    """Both text encoders of a checkpoint of SDXL's class. Raises ExportError, which names the broken file."""
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    first = load_network(CLIPTextModel, folder, "text_encoder").eval()
    second = load_network(CLIPTextModelWithProjection, folder, "text_encoder_2").eval()
    tokenizers = tuple(
        _load_tokenizer(folder / name, encoder)
        for name, encoder in zip(TOKENIZERS, (first, second), strict=True)
    )
    _agree_on_a_length(tokenizers, (first, second))
    return Text(TextEncoders(first, second), (tokenizers[0], tokenizers[1]))


def _load_tokenizer(folder: Path, encoder: Any) -> Any:
    from transformers import CLIPTokenizer

    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # tokenizers and transformers raise many kinds
        raise ExportError(f"{folder} does not load as a CLIPTokenizer: {first_line(error)}") from error
    if len(tokenizer) > encoder.config.vocab_size:
        raise ExportError(
            f"{folder}: the tokenizer has {len(tokenizer)} words and its text encoder "
            f"{encoder.config.vocab_size}: they do not belong together"
        )
    return tokenizer


def _agree_on_a_length(tokenizers: Sequence[Any], encoders: Sequence[Any]) -> None:
    """The embeddings lie side by side, so both have the same number of tokens.

    Without a length in its configuration, a tokenizer says 10^30.
    """
    longest = min(
        *(encoder.config.max_position_embeddings for encoder in encoders),
        *(tokenizer.model_max_length or 77 for tokenizer in tokenizers),
    )
    for tokenizer in tokenizers:
        tokenizer.model_max_length = longest
