"""The runtimes that execute an exported stage on this machine's processor, and which one is used."""

import ctypes
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from serving.errors import CannotServe
from serving.processor import has_amx

if TYPE_CHECKING:  # the supervisor does without
    import numpy as np

# CPU_RUNTIME; the first is the default.
CpuRuntime = Literal["auto", "onnxruntime", "openvino"]
Package = Literal["onnxruntime", "openvino"]
Precision = Literal["fp32", "bf16", "fp16"]
_PACKAGES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
_PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


@dataclass(frozen=True)
class Runtime:
    """A package and the precision in which it computes."""

    package: Package
    precision: Precision

    def __str__(self) -> str:
        return f"{_PACKAGES[self.package]} in {_PRECISIONS[self.precision]}"


ONNX_RUNTIME = Runtime("onnxruntime", "fp32")
OPENVINO = Runtime("openvino", "bf16")


class CpuStage(Protocol):
    """Takes and returns NumPy arrays by name; the first dimension of each is the batch."""

    def run(self, inputs: "Mapping[str, np.ndarray]") -> "dict[str, np.ndarray]": ...

    def warm_up(self) -> None: ...

    def smallest_inputs(self) -> "dict[str, np.ndarray]": ...


def load_stage(model: Path, runtime: Runtime) -> CpuStage:
    """The `model.onnx` on that runtime. The first call of each shape is slow."""
    # Each library takes time and memory, and a process needs one of them or none.
    if runtime.package == "onnxruntime":
        from serving.stages.onnx_runtime import OnnxStage

        return OnnxStage(model)
    from serving.stages.openvino_runtime import OpenVinoStage

    return OpenVinoStage(model, runtime.precision)


def open_stage(model: Path, runtime: Runtime, *, warm: bool = True) -> CpuStage:
    """The `model.onnx` on that runtime, ready for its first request. warm: after a first call of its own."""
    stage = load_stage(model, runtime)
    if warm:
        stage.warm_up()
    _return_memory()
    return stage


def _return_memory() -> None:
    """Give the kernel back what was needed to open a network: 34 MB of a UNet's process, 83 of a decoder's.

    glibc keeps it by MALLOC_TRIM_THRESHOLD_, which pictures need (serving/triton_server.py).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # musl has none
        trim(0)


def installed_runtimes() -> list[Runtime]:
    """Every runtime of this machine; the first is what the others are compared with."""
    if not _has_openvino():
        return [ONNX_RUNTIME]
    from serving.stages.openvino_runtime import precisions

    return [ONNX_RUNTIME, *(Runtime("openvino", it) for it in precisions())]


def asked_runtime() -> CpuRuntime:
    """CPU_RUNTIME as Triton's processes get it from `make serve`: without the libraries that read settings,
    which would take 16 MB and 0.3 s of each. Raises CannotServe for another value."""
    asked = os.environ.get("CPU_RUNTIME") or get_args(CpuRuntime)[0]
    for allowed in get_args(CpuRuntime):
        if asked == allowed:
            return allowed
    raise unknown_runtime(asked)


def unknown_runtime(asked: object) -> CannotServe:
    """What is wrong with this CPU_RUNTIME."""
    return CannotServe(f"CPU_RUNTIME is {asked!r}; it must be one of {', '.join(get_args(CpuRuntime))}")


def choose_runtime(setting: CpuRuntime, measured: Runtime | None = None) -> Runtime:
    """The runtime of a stage.

    setting: CPU_RUNTIME; onnxruntime or openvino decide by hand for every stage.
    measured: the fastest of this stage on this processor. Without one, "auto" is OpenVINO in bfloat16 on
    processors with matrix units (AMX), else ONNX Runtime in float32.
    Raises CannotServe if OpenVINO is asked for and not installed.
    """
    if setting == "onnxruntime":
        return ONNX_RUNTIME
    installed = _has_openvino()
    if setting == "openvino":
        if not installed:
            raise CannotServe("CPU_RUNTIME is openvino, which is not installed: run `make setup`")
        return OPENVINO
    expected = measured or (OPENVINO if has_amx() else ONNX_RUNTIME)
    return expected if installed else ONNX_RUNTIME


def _has_openvino() -> bool:
    return importlib.util.find_spec("openvino") is not None
