"""Networks with random weights, made in the precision that is wanted: half takes half the memory."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def random_network(make: Callable[[], Network], dtype: torch.dtype) -> Network:
    """The network that `make` makes, with the same weights every time."""
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        return make().eval().requires_grad_(False)
    finally:
        torch.set_default_dtype(before)
