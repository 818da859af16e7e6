"""A network in the process that calls it, whatever runtime computes it."""

from typing import Protocol

import torch

Tensors = dict[str, torch.Tensor]


class DeviceStage(Protocol):
    """Takes and returns tensors by name on its device; the first dimension of each is the batch."""

    @property
    def device(self) -> torch.device: ...

    def call(self, inputs: Tensors) -> Tensors:
        """The outputs, which no later call changes."""

    def warm_up(self) -> None:
        """Do what the first calls would wait for, such as capturing CUDA graphs."""
