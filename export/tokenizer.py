"""A checkpoint's tokenizer as one file, which `tryon` reads without transformers."""

from typing import Any


def tokenizer_json(tokenizer: Any) -> bytes:
    """The tokenizer.json of one of transformers' tokenizers; it truncates and pads as that one does."""
    tokens, backend = tokenizer.model_max_length, tokenizer.backend_tokenizer
    backend.enable_truncation(tokens)
    backend.enable_padding(length=tokens, pad_id=tokenizer.pad_token_id, pad_token=tokenizer.pad_token)
    text: str = backend.to_str(pretty=True)
    return text.encode()
