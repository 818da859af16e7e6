"""TensorRT's Python packages, under the names that they have here.

`pip install tensorrt` brings the package `tensorrt` with TensorRT's libraries. The image has the libraries
already, and so only `tensorrt_cu13_bindings`, which contains the same API as the package `tensorrt_bindings`.
TensorRT-RTX is another product with the same API, for GeForce and RTX cards: it builds engines in seconds.
"""

import importlib
from collections.abc import Mapping
from typing import Any

NAMES = ("tensorrt", "tensorrt_bindings")
RTX = "tensorrt_rtx"
# What pip installs each runtime from.
PACKAGES: Mapping[str, str] = {"tensorrt": "tensorrt", RTX: "tensorrt_rtx_cu13"}
# What TensorRT-RTX 1.7 compiles for: `tensorrt_rtx.ComputeCapability`. H100's 9.0 is not among them.
_RTX_CARDS = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")


def import_tensorrt() -> Any:
    """The module. Raises ImportError if there is none, or if TensorRT's libraries cannot be loaded."""
    faults = []
    for name in NAMES:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            faults.append(str(error))
    raise ImportError("; ".join(faults))


def import_tensorrt_rtx() -> Any:
    """The module of TensorRT-RTX. Raises ImportError."""
    return importlib.import_module(RTX)


def tensorrt_version() -> str | None:
    """Like "11.1.0.106"; None if this machine cannot import TensorRT."""
    try:
        return str(import_tensorrt().__version__)
    except ImportError:
        return None


def rtx_fault(compute_capability: str) -> str | None:
    """Why TensorRT-RTX has no kernels for such a GPU, or None."""
    if compute_capability in _RTX_CARDS:
        return None
    return (
        f"TensorRT-RTX is for compute capability {', '.join(_RTX_CARDS)}, and this GPU has "
        f"{compute_capability}"
    )
