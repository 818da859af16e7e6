"""Which runtime executes an exported stage on this machine's processor."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from serving.cpu_settings import CpuRuntime
from serving.errors import CannotServe
from serving.stages.onnx_runtime import OnnxStage

Runtime = Literal["onnxruntime", "openvino"]


class CpuStage(Protocol):
    """Takes and returns NumPy arrays by name; the first dimension of each is the batch."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...

    def warm_up(self) -> None: ...


def open_stage(model: Path, runtime: Runtime) -> CpuStage:
    """The `model.onnx` on that runtime, ready for its first request."""
    stage: CpuStage
    if runtime == "onnxruntime":
        stage = OnnxStage(model)
    else:
        from serving.stages.openvino_runtime import (
            OpenVinoStage,  # imports for half a second, and most machines do not need it
        )

        stage = OpenVinoStage(model)
    stage.warm_up()
    return stage


def choose_runtime(setting: CpuRuntime, cpuinfo: Path = Path("/proc/cpuinfo")) -> Runtime:
    """The runtime that CPU_RUNTIME names.

    "auto" is OpenVINO in bfloat16 on processors with matrix units (AMX), else ONNX Runtime in float32.
    Raises CannotServe if OpenVINO is asked for and not installed.
    """
    installed = importlib.util.find_spec("openvino") is not None
    if setting == "auto":
        return "openvino" if installed and has_amx(cpuinfo) else "onnxruntime"
    if setting == "openvino" and not installed:
        raise CannotServe("CPU_RUNTIME is openvino, which is not installed: run `make setup`")
    return setting


def has_amx(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    try:
        return "amx_bf16" in cpuinfo.read_text().split()
    except OSError:
        return False
