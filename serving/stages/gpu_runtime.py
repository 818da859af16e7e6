"""Which runtime computes the networks of profile gpu inside `tryon`, and what the others lack.

In the order in which they are tried:

    tensorrt      an engine that fits this GPU and TensorRT, the fastest; `pip install tensorrt`
    tensorrt_rtx  the same of TensorRT-RTX, for GeForce and RTX cards; `pip install tensorrt_rtx_cu13`
    torch         the exported program with CUDA graphs: nothing to install beside torch
    onnxruntime   the exported ONNX on CUDA kernels; requirements-onnxruntime-gpu.txt
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from serving import engine_stamp
from serving.errors import CannotServe
from serving.gpu import Gpu, query_gpus
from serving.gpu_settings import GpuRuntime, GpuSettings
from serving.tensorrt_package import PACKAGES, RTX, import_tensorrt, import_tensorrt_rtx, rtx_fault

ORDER: tuple[GpuRuntime, ...] = get_args(GpuRuntime)
_CUDA_WHEELS = "https://download.pytorch.org/whl/cu130"


@dataclass(frozen=True)
class Choice:
    """faults: why each runtime that comes before it cannot be used, one sentence each."""

    runtime: GpuRuntime
    faults: dict[GpuRuntime, str] = field(default_factory=dict)


def choose_gpu_runtime(settings: GpuSettings, repository: Path, stages: Sequence[str]) -> Choice:
    """The runtime that GPU_RUNTIME names, or the first that works. Raises CannotServe, which says what to do.

    stages: the exported networks' names.
    """
    if settings.gpu_runtime != "auto":
        if fault := runtime_fault(settings.gpu_runtime, settings, repository, stages):
            raise CannotServe(f"GPU_RUNTIME is {settings.gpu_runtime}, and {fault}")
        return Choice(settings.gpu_runtime)
    faults: dict[GpuRuntime, str] = {}
    for runtime in ORDER:
        fault = runtime_fault(runtime, settings, repository, stages)
        if fault is None:
            return Choice(runtime, faults)
        faults[runtime] = fault
    # torch's is what everybody can mend.
    raise CannotServe(f"no runtime can compute the networks here: {faults['torch']}")


def runtime_fault(
    runtime: GpuRuntime, settings: GpuSettings, repository: Path, stages: Sequence[str]
) -> str | None:
    """Why this runtime cannot compute the exported networks here, and what to do; None if it can."""
    if settings.gpu_device == "cuda" and (fault := cuda_fault()):
        return fault
    folders = [repository / name / "1" for name in stages]
    if runtime == "torch":
        return _missing(folders, "model.pt2")
    if runtime == "onnxruntime":
        return _missing(folders, "model.onnx") or _onnxruntime_fault(settings)
    if settings.gpu_device == "cpu":
        return "TensorRT computes on a GPU alone, and GPU_DEVICE is cpu: use GPU_RUNTIME=torch"
    return _tensorrt_fault(runtime, folders)


def cuda_fault() -> str | None:
    """Why torch cannot use a GPU here, and what to do. Every runtime's tensors are torch's."""
    import torch

    if torch.version.cuda is None:
        version = torch.__version__.partition("+")[0]
        return (
            f"torch {torch.__version__} was built without CUDA: run `.venv/bin/pip uninstall -y torch && "
            f".venv/bin/pip install torch=={version} --index-url {_CUDA_WHEELS}`"
        )
    if not torch.cuda.is_available():
        return (
            "torch finds no GPU: install NVIDIA's driver (under WSL2: on Windows), see that nvidia-smi lists "
            "the GPU, or serve with PROFILE=cpu"
        )
    return None


def _missing(folders: Sequence[Path], name: str) -> str | None:
    for folder in folders:
        if not (folder / name).exists():
            return f"{folder / name} is missing: run `make export PROFILE=gpu`"
    return None


def _onnxruntime_fault(settings: GpuSettings) -> str | None:
    import onnxruntime

    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if settings.gpu_device == "cpu" or has_cuda:
        return None
    return (
        f"onnxruntime {onnxruntime.__version__} is its CPU build: run `.venv/bin/pip uninstall -y "
        "onnxruntime && .venv/bin/pip install -r requirements-onnxruntime-gpu.txt`"
    )


def _tensorrt_fault(runtime: GpuRuntime, folders: Sequence[Path]) -> str | None:
    gpus = query_gpus()
    if not gpus:
        return "nvidia-smi finds no GPU: install the driver"
    try:
        trt = open_tensorrt(runtime)
    except ImportError as error:
        return f"its package cannot be imported ({error}): .venv/bin/pip install {PACKAGES[runtime]}"
    if runtime == RTX and (fault := rtx_fault(gpus[0].compute_capability)):
        return fault
    return next((it for it in (_engine_fault(folder, trt, gpus[0]) for folder in folders) if it), None)


def _engine_fault(folder: Path, trt: Any, gpu: Gpu) -> str | None:
    name = folder.parent.name
    try:
        stamp = engine_stamp.read(folder)
    except CannotServe as error:
        return str(error)
    if stamp is None:
        return f"{name} has no engine: run `make export PROFILE=gpu ENGINES=1` on this machine"
    if fault := stamp.fault(str(trt.__version__), gpu):
        return f"the engine of {name} {fault}: run `make export PROFILE=gpu` on this machine"
    return None


def open_tensorrt(runtime: GpuRuntime) -> Any:
    """The module. Raises ImportError."""
    return import_tensorrt_rtx() if runtime == RTX else import_tensorrt()
