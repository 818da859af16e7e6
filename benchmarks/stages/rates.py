"""The most that this processor has been seen to do: multiply-adds and bytes in a millisecond of its time."""

import math
import time
from collections.abc import Callable

import numpy as np
import torch

_SIDE = 768  # of the matrices, which is past what a product gains by its size
_COPIED = 64 << 20  # bytes, more than any cache here


def processor_ms(call: Callable[[], object]) -> float:
    """Milliseconds of processor time of one call, of all its threads together."""
    began = time.process_time()
    call()
    return 1000 * (time.process_time() - began)


class Rates:
    """The fastest of what was measured; measure it again and again, since other work disturbs it."""

    def __init__(self) -> None:
        self._square = torch.rand(_SIDE, _SIDE)
        self._product = torch.empty_like(self._square)
        self._source, self._target = np.ones(_COPIED, np.uint8), np.ones(_COPIED, np.uint8)
        self._matrix_ms = self._copy_ms = math.inf

    def measure(self) -> None:
        self._matrix_ms = min(
            self._matrix_ms,
            processor_ms(lambda: torch.mm(self._square, self._square, out=self._product)),
        )
        self._copy_ms = min(self._copy_ms, processor_ms(lambda: np.copyto(self._target, self._source)))

    @property
    def multiply_adds(self) -> float:
        """In a millisecond of processor time, in float32."""
        return _SIDE**3 / self._matrix_ms

    @property
    def bytes(self) -> float:
        """In a millisecond of processor time, read and written."""
        return 2 * _COPIED / self._copy_ms
