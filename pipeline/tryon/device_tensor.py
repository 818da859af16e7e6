"""A torch tensor among the outputs of models."""

from typing import Any

import numpy as np
import torch


class DeviceTensor:
    """It has the interface of `pipeline.tryon.models.Tensor`, wherever it lies."""

    def __init__(self, tensor: torch.Tensor):
        self._tensor = tensor

    def as_numpy(self) -> np.ndarray:
        return np.asarray(self._tensor.cpu().numpy())

    def __dlpack__(self, stream: int | None = None) -> Any:
        return self._tensor.__dlpack__(stream=stream)

    def __dlpack_device__(self) -> tuple[int, int]:
        device: tuple[int, int] = self._tensor.__dlpack_device__()
        return device
