"""diffusers without the libraries that fetch checkpoints: a process that serves an exported one has no use
for them, and they are two thirds of the import, 0.3 s of processor time.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from serving.light_torch import PROFILE

_HUB = "huggingface_hub"
_LEFT_OUT = (
    "requests",
    *(f"{_HUB}.{name}" for name in ("errors", "utils", "hf_api", "file_download", "_snapshot_download")),
    *(f"{_HUB}.{name}" for name in ("repocard", "repocard_data")),
)


@contextmanager
def without_hub() -> Iterator[None]:
    """Import diffusers inside it. Changes nothing outside of `make serve`'s Triton, or where something has
    imported the hub's library already."""
    if PROFILE not in os.environ or _HUB in sys.modules:
        yield
        return
    left_out = [name for name in _LEFT_OUT if name not in sys.modules]
    sys.modules |= {name: _Absent(name) for name in left_out}
    try:
        yield
    finally:
        # Who asks for the hub's library later gets all of it.
        for name in [it for it in sys.modules if it in left_out or it.partition(".")[0] == _HUB]:
            del sys.modules[name]


class _Absent(ModuleType):
    """Has every name: diffusers takes functions, exceptions and decorators from such modules."""

    def __getattr__(self, name: str) -> type[Exception]:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})
