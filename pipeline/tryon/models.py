"""Interfaces to the server that runs the pipeline; serving/model_calls.py implements them for Triton."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np


class Tensor(Protocol):
    """A model's output: readable as a NumPy array if it is in main memory, and by DLPack on any device."""

    def as_numpy(self) -> np.ndarray: ...

    def __dlpack__(self, stream: int | None = None) -> Any: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


class HostTensor:
    """An array of our own among outputs of models."""

    def __init__(self, array: np.ndarray):
        import torch  # here: preprocess and postprocess import this module, and need none of its 110 MB

        self._array = array
        self._tensor = torch.from_numpy(
            array
        )  # NumPy's own DLPack fails in Triton, which renames its capsule

    def as_numpy(self) -> np.ndarray:
        return self._array

    def __dlpack__(self, stream: int | None = None) -> Any:
        return self._tensor.__dlpack__()

    def __dlpack_device__(self) -> Any:
        return self._tensor.__dlpack_device__()


class Models(Protocol):
    """Calls a model of the repository."""

    async def __call__(
        self, model: str, inputs: Mapping[str, Any], outputs: Sequence[str], request_id: str = ""
    ) -> dict[str, Tensor]:
        """The named outputs. inputs: NumPy arrays, torch tensors, or outputs of another model."""


class Client(Protocol):
    """The client that waits for the answer."""

    request_id: str

    def cancelled(self) -> bool:
        """Whether the client does not want the answer any more."""

    def progress(self, step: int, steps: int, preview: np.ndarray | None) -> None:
        """Report a capture's progress. preview: a JPEG, (N,) uint8, if one is ready."""
