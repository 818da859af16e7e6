"""Torch without what only compilers and exported programs ask of it.

`torch._meta_registrations` says which shape each operator's result has, and imports torch's operators written
in Python: a sixth of the import, 0.4 s of processor time. Profile cpu calls torch's operators on tensors
alone. Profile gpu loads exported programs, which need the shapes.

Nor is garbage looked for meanwhile, another 0.2 s: an import leaves none.
"""

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

# Of Triton's processes, set by `make serve` (serving/triton_server.py): only they leave the shapes out.
PROFILE = "SERVED_PROFILE"
_SHAPES = "torch._meta_registrations"


@contextmanager
def without_shapes() -> Iterator[None]:
    """Import torch inside it. Changes nothing in another profile, or where torch is imported already."""
    if os.environ.get(PROFILE) != "cpu" or "torch" in sys.modules:
        yield
        return
    sys.modules[_SHAPES] = ModuleType(_SHAPES)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        del sys.modules[_SHAPES]
    importlib.import_module("torch._prims.rng_prims")  # which it imports, too: a Generator needs it
