"""SDXL's two text encoders at their real size with random weights, and tokenizers of single bytes."""

from typing import Any

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from export.checks.random_weights import random_network
from tests.tiny_checkpoint import byte_tokenizer

# openai/clip-vit-large-patch14 and laion/CLIP-ViT-bigG-14-laion2B-39B-b160k.
FIRST: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
}
SECOND: dict[str, Any] = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
    "hidden_act": "gelu",
}


def write(folder):
    """Into `text_encoder`, `text_encoder_2` and their tokenizers' folders."""
    kinds = {"": (CLIPTextModel, FIRST), "_2": (CLIPTextModelWithProjection, SECOND)}
    for number, (kind, sizes) in kinds.items():
        tokenizer = byte_tokenizer()
        if number:
            tokenizer.pad_token = "!"
        ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        config = CLIPTextConfig(vocab_size=49408, **sizes, **ids)
        encoder = random_network(lambda kind=kind, config=config: kind(config), torch.float32)
        encoder.save_pretrained(folder / f"text_encoder{number}")
        tokenizer.save_pretrained(folder / f"tokenizer{number}")
