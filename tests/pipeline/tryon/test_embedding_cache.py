import asyncio

import numpy as np
import pytest
import torch

from pipeline.tryon.embedding_cache import EmbeddingCache
from pipeline.tryon.models import HostTensor


class TextEncoder:
    """Counts its calls; an id's embedding is the id."""

    def __init__(self):
        self.calls = []

    async def __call__(self, model, inputs, outputs, request_id=""):
        self.calls.append(model)
        await asyncio.sleep(0)
        ids = next(iter(inputs.values()))
        return {name: HostTensor(ids.astype(np.float32)[..., None]) for name in outputs}


def ids(*values):
    return {"input_ids": np.array([values], np.int32)}


async def test_a_prompt_is_encoded_once():
    encoder = TextEncoder()
    cached = EmbeddingCache(encoder, 1 << 20)
    for _ in range(3):
        answer = await cached("text_encoder", ids(1, 2), ["prompt_embeds"])
        assert answer["prompt_embeds"].as_numpy().tolist() == [[[1], [2]]]
        assert torch.equal(torch.from_dlpack(answer["prompt_embeds"]), torch.tensor([[[1.0], [2.0]]]))
    assert encoder.calls == ["text_encoder"]


async def test_other_ids_shapes_models_and_outputs_are_other_prompts():
    encoder = TextEncoder()
    cached = EmbeddingCache(encoder, 1 << 20)
    asked = [
        ("text_encoder", ids(1, 2), ["prompt_embeds"]),
        ("text_encoder", ids(2, 1), ["prompt_embeds"]),
        ("text_encoder", {"input_ids": np.array([[1], [2]], np.int32)}, ["prompt_embeds"]),
        ("sdxl_text_encoder", ids(1, 2), ["prompt_embeds"]),
        ("text_encoder", ids(1, 2), ["prompt_embeds", "pooled_embeds"]),
        ("text_encoder", ids(1, 2) | {"input_ids_2": np.array([[1, 2]], np.int32)}, ["prompt_embeds"]),
    ]
    for _ in range(2):
        for call in asked:
            await cached(*call)
    assert len(encoder.calls) == len(asked)


async def test_requests_that_come_together_share_one_call():
    encoder = TextEncoder()
    cached = EmbeddingCache(encoder, 1 << 20)
    await asyncio.gather(*(cached("text_encoder", ids(1), ["prompt_embeds"]) for _ in range(5)))
    assert len(encoder.calls) == 1


async def test_the_memory_is_bounded_and_the_oldest_goes_first():
    encoder = TextEncoder()
    cached = EmbeddingCache(encoder, 2 * 4)  # two embeddings of one number
    for value in (1, 2, 1, 3, 1, 2):
        await cached("text_encoder", ids(value), ["prompt_embeds"])
    assert len(encoder.calls) == 4, "1, 2 and 3, and 2 again: it was not asked for the longest time"


@pytest.mark.parametrize(
    "inputs", [{"pixels": np.zeros((1, 2), np.float32)}, ids(1) | {"pixels": np.zeros((1, 2), np.float32)}]
)
async def test_a_call_with_a_picture_is_never_kept(inputs):
    encoder = TextEncoder()
    cached = EmbeddingCache(encoder, 1 << 20)
    for _ in range(2):
        await cached("vae_encoder", inputs, ["latent_mean"])
    assert len(encoder.calls) == 2


async def test_a_failure_is_not_kept():
    async def failing(model, inputs, outputs, request_id=""):
        raise RuntimeError("out of memory")

    cached = EmbeddingCache(failing, 1 << 20)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of memory"):
            await cached("text_encoder", ids(1), ["prompt_embeds"])
