"""The prompts of a request as tokens for both text encoders."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from pipeline.tryon.request import TryonRequest

# What a garment of a category is called where the request does not say it in words of its own.
_NOUNS = {"tops": "top", "bottoms": "trousers", "one-pieces": "dress"}
_RENDERED = "jacket"  # a client's render is one


def describe(request: TryonRequest, category: str, rendered: bool) -> str:
    """The garment in words: the request's own, or else its fabric and category.

    category: resolved, without `auto`. rendered: whether the garment comes from a render.
    """
    if request.prompt:
        return request.prompt
    noun = _RENDERED if rendered and category == "tops" else _NOUNS.get(category, _RENDERED)
    return " ".join(f"{request.fabric} {noun}".split())


class Prompts:
    """
    tokenizers: tokenizer.json of each text encoder, which also truncates and pads.
    prompt, garment_prompt: the checkpoint's, for the person and for the garment alone; `{garment}` in them is
        replaced by the garment in words.
    """

    def __init__(
        self, tokenizers: Sequence[Path], prompt: str, garment_prompt: str, negative_prompt: str
    ) -> None:
        self._tokenizers = [Tokenizer.from_file(str(path)) for path in tokenizers]
        self._prompt = prompt
        self._garment_prompt = garment_prompt
        self._negative_prompt = negative_prompt

    def texts(self, garment: str) -> list[str]:
        """The negative prompt, the person's, and the garment's. garment: in words."""
        prompts = (prompt.replace("{garment}", garment) for prompt in (self._prompt, self._garment_prompt))
        return [self._negative_prompt, *prompts]

    def input_ids(self, texts: list[str]) -> dict[str, np.ndarray]:
        """(len(texts), T) int32 for each text encoder, by the names of its input."""
        return {
            name: np.array([tokens.ids for tokens in tokenizer.encode_batch(texts)], np.int32)
            for name, tokenizer in zip(("input_ids", "input_ids_2"), self._tokenizers, strict=True)
        }
