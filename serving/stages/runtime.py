"""Which runtime serves an exported stage on this machine's processor."""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from serving.errors import CannotServe
from serving.stages.onnx_runtime import OnnxStage

Runtime = Literal["onnxruntime", "openvino"]


class CpuStage(Protocol):
    """NumPy arrays by name, in and out; each has the batch in front."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...

    def warm_up(self) -> None: ...


def open_stage(model: Path) -> CpuStage:
    """The `model.onnx` on the runtime that `runtime` says, ready for its first request."""
    stage: CpuStage
    if runtime() == "onnxruntime":
        stage = OnnxStage(model)
    else:
        from serving.stages.openvino_runtime import (
            OpenVinoStage,  # half a second, and on most machines not needed
        )

        stage = OpenVinoStage(model)
    stage.warm_up()
    return stage


def runtime(cpuinfo: Path = Path("/proc/cpuinfo")) -> Runtime:
    """What CPU_RUNTIME in the environment says; by default, or where it is "auto", OpenVINO in bfloat16 on
    processors with matrix units for it (AMX), else ONNX Runtime in float32.

    Raises CannotServe for a CPU_RUNTIME that there is not.
    """
    asked = os.environ.get("CPU_RUNTIME") or "auto"
    openvino = importlib.util.find_spec("openvino") is not None
    if asked == "auto":
        return "openvino" if openvino and has_amx(cpuinfo) else "onnxruntime"
    if asked == "onnxruntime":
        return "onnxruntime"
    if asked != "openvino":
        raise CannotServe(f"CPU_RUNTIME is {asked!r}: set auto, onnxruntime or openvino")
    if not openvino:
        raise CannotServe("CPU_RUNTIME asks for openvino, which is not installed: run `make setup`")
    return "openvino"


def has_amx(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    try:
        return "amx_bf16" in cpuinfo.read_text().split()
    except OSError:
        return False
