"""What the pipeline needs of the server that runs it; Triton's side is model_repository/tryon/1/model.py."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np


class Tensor(Protocol):
    """A tensor that a model gave: NumPy's on a CPU, torch's by DLPack wherever it lies."""

    def as_numpy(self) -> np.ndarray: ...

    def __dlpack__(self, stream: int | None = None) -> Any: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


class Models(Protocol):
    """Calls a model of the repository."""

    async def __call__(
        self, model: str, inputs: Mapping[str, Any], outputs: Sequence[str], request_id: str = ""
    ) -> dict[str, Tensor]:
        """The named outputs. inputs: NumPy arrays, torch tensors, or tensors that another model gave."""


class Client(Protocol):
    """Who waits for the answer."""

    request_id: str

    def cancelled(self) -> bool:
        """Whether nobody wants the answer any more."""

    def progress(self, step: int, steps: int, preview: np.ndarray | None) -> None:
        """Tell how far a capture is. preview: (N,) uint8, a JPEG, where one is ready."""
