"""Tensors that the next request can use again: what was computed from a garment alone, or from a prompt.

A shop's customers try the same garments, and one customer's keyframes show the same one again and again.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from pipeline.single_flight import SingleFlight

if TYPE_CHECKING:  # the export knows the families by way of this module, and needs torch only if it has work
    from torch import Tensor

Values = Mapping[str, "Tensor"]


class TensorCache:
    """An LRU cache of tensors by name, limited in bytes. Use it from one event loop.

    max_bytes: of all tensors together. Tensors stay on the device that they were computed on.
    """

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, Values] = OrderedDict()  # the latest last
        self._computing: SingleFlight[str, Values] = SingleFlight()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: str, compute: Callable[[], Awaitable[Values]]) -> Values:
        """The values of `key`, which are computed if they are not kept; requests that come meanwhile wait.

        key: everything that the values depend on: a garment's content, the checkpoint's choices, the size.
        Raises what `compute` raises; a failure is not kept.
        """
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        return await self._computing.get(key, lambda: self._compute(key, compute))

    async def _compute(self, key: str, compute: Callable[[], Awaitable[Values]]) -> Values:
        # A model's outputs lie in memory that is shared with the server, and would keep it occupied.
        values = {name: tensor.clone() for name, tensor in (await compute()).items()}
        self._kept[key] = values
        self._bytes += _size(values)
        while self._bytes > self._max_bytes and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)
        return values


def _size(values: Values) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in values.values())
