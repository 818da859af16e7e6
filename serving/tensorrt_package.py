"""TensorRT's Python package, under the name that it has here.

`pip install tensorrt` brings the package `tensorrt` with TensorRT's libraries. The image has the libraries
already, and so only `tensorrt_cu13_bindings`, which contains the same API as the package `tensorrt_bindings`.
"""

import importlib
from typing import Any

NAMES = ("tensorrt", "tensorrt_bindings")


def import_tensorrt() -> Any:
    """The module. Raises ImportError if there is none, or if TensorRT's libraries cannot be loaded."""
    faults = []
    for name in NAMES:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            faults.append(str(error))
    raise ImportError("; ".join(faults))


def tensorrt_version() -> str | None:
    """Like "11.1.0.106"; None if this machine cannot import TensorRT."""
    try:
        return str(import_tensorrt().__version__)
    except ImportError:
        return None
