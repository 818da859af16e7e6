"""Turns a request's prompt into tokens for the text encoder."""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from pipeline.tryon.request import TryonRequest


class Prompts:
    """
    tokenizer: the checkpoint's tokenizer.json, which also truncates and pads.
    prompt: the checkpoint's; `{fabric}` in it is replaced by the request's fabric.
    """

    def __init__(self, tokenizer: Path, prompt: str, negative_prompt: str):
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._prompt = prompt
        self._negative_prompt = negative_prompt

    def input_ids(self, request: TryonRequest) -> np.ndarray:
        """(1, T) int32; with guidance (2, T), the negative prompt first."""
        prompt = request.prompt or " ".join(self._prompt.replace("{fabric}", request.fabric).split())
        prompts = [self._negative_prompt, prompt] if request.recipe.guided else [prompt]
        return np.array([tokens.ids for tokens in self._tokenizer.encode_batch(prompts)], np.int32)
