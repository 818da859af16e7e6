"""Keeps what text encoders made of token ids: prompts repeat, and equal token ids have equal embeddings.

Triton's own response cache would refuse outputs that lie on a GPU, and log an error for each of them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from pipeline.tensor_cache import TensorCache
from pipeline.tryon.device_tensor import DeviceTensor
from pipeline.tryon.models import Models, Tensor


class EmbeddingCache:
    """Calls models as `models` does, and models whose only inputs are token ids once for the same ids.

    max_bytes: of all embeddings together. They stay on the device that they were computed on.
    """

    def __init__(self, models: Models, max_bytes: int):
        self._models = models
        self._kept = TensorCache(max_bytes)

    async def __call__(
        self, model: str, inputs: Mapping[str, Any], outputs: Sequence[str], request_id: str = ""
    ) -> dict[str, Tensor]:
        if not _are_token_ids(inputs):
            return await self._models(model, inputs, outputs, request_id)

        async def compute() -> dict[str, torch.Tensor]:
            answer = await self._models(model, inputs, outputs, request_id)
            return {name: torch.from_dlpack(tensor) for name, tensor in answer.items()}

        values = await self._kept.get(_key(model, inputs, outputs), compute)
        return {name: DeviceTensor(tensor) for name, tensor in values.items()}


def _are_token_ids(inputs: Mapping[str, Any]) -> bool:
    return all(name.startswith("input_ids") and isinstance(it, np.ndarray) for name, it in inputs.items())


def _key(model: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> str:
    digest = hashlib.sha256(repr((model, sorted(outputs))).encode())
    for name, ids in sorted(inputs.items()):
        digest.update(repr((name, ids.shape, ids.dtype.str)).encode() + np.ascontiguousarray(ids).tobytes())
    return digest.hexdigest()
