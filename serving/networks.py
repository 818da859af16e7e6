"""The exported networks, opened in this process: `tryon`'s, or a benchmark's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.recipe import ServedConfig
from serving.errors import CannotServe
from serving.exported import read_stages
from serving.gpu_settings import GpuRuntime, GpuSettings
from serving.model_config import read_model_config
from serving.paths import cache_folder
from serving.stages.cuda_graphs import Capture, SharedPool
from serving.stages.gpu_runtime import choose_gpu_runtime, open_tensorrt
from serving.stages.stage import DeviceStage
from serving.tensorrt_package import RTX

# Rows of a call of what is no denoiser: one picture or prompt, or two with guidance or a conditioning image.
_FEW_ROWS = (1, 2)


@dataclass(frozen=True)
class Networks:
    """stages: by their names. graphs: the numbers of rows that have CUDA graphs, by the stages' names."""

    runtime: GpuRuntime
    device: str
    stages: Mapping[str, DeviceStage]
    graphs: Mapping[str, Sequence[int]]

    def __str__(self) -> str:
        sizes = max(self.graphs.values(), key=len, default=())
        graphs = f", CUDA graphs for up to {max(sizes)} rows" if sizes else ""
        return f"{self.runtime} on {self.device}{graphs}"


def open_networks(repository: Path, settings: GpuSettings) -> Networks:
    """The networks of the export in `repository`, warmed up, on the runtime that works here.

    Raises CannotServe, which says what to do.
    """
    stages = read_stages(repository)
    runtime = choose_gpu_runtime(settings, repository, stages).runtime
    rows = _graph_rows(repository, stages) if settings.gpu_device == "cuda" and settings.cuda_graphs else {}
    capture = SharedPool()
    opened = {}
    for name in stages:
        folder = repository / name / "1"
        stage = _open(folder, runtime, settings.gpu_device, rows.get(name, ()), capture)
        stage.warm_up()
        opened[name] = stage
    return Networks(runtime, settings.gpu_device, opened, {} if runtime == "onnxruntime" else rows)


def _open(
    folder: Path, runtime: GpuRuntime, device: str, rows: Sequence[int], capture: Capture
) -> DeviceStage:
    """Each runtime is imported where it is used: no machine has all of them."""
    if runtime == "torch":
        from serving.stages.torch_runtime import NAME, TorchStage

        return TorchStage(folder / NAME, device, rows, capture)
    if runtime == "onnxruntime":
        from serving.stages.onnx_device_runtime import OnnxDeviceStage

        return OnnxDeviceStage(folder / "model.onnx", device)
    from serving.stages.tensorrt_runtime import TensorRtStage

    kernels = cache_folder() / f"{folder.parent.name}.rtx" if runtime == RTX else None
    return TensorRtStage(open_tensorrt(runtime), folder / "model.plan", device, rows, capture, kernels)


def _graph_rows(repository: Path, stages: Sequence[str]) -> dict[str, list[int]]:
    """The numbers of rows that each network is called with: `batch_sizes` of the export for what denoises."""
    try:
        served = ServedConfig.model_validate_json((repository / "tryon" / "1" / "pipeline.json").read_text())
    except (OSError, ValueError) as error:
        raise CannotServe(f"pipeline.json cannot be read ({error}): run `make export`") from error
    denoisers = {recipe.unet for recipe in served.modes.values()}
    sizes = {name: served.batch_sizes if name in denoisers else _FEW_ROWS for name in stages}
    most = {name: read_model_config(repository / name).max_batch_size for name in stages}
    return {name: [size for size in sizes[name] if size <= most[name]] for name in stages}
