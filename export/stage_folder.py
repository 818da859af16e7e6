"""The folder of a stage that the model repository does not have by hand: written by the export.

A family's own networks, and a denoiser with LoRAs, are models only of checkpoints that have them. Such a
folder is an artefact: its configurations and its model.py are those of a hand-written stage, its template,
with the name and the tensors of the stage.
"""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export.errors import ExportError
from export.pipeline_config import fast_name
from serving.model_config import parse_model_config

DENOISER, NETWORK = "unet", "vae_encoder"
HAND_WRITTEN = ("text_encoder", "vae_encoder", "unet", "vae_decoder")
MARK = "# Written by the export"
_CONFIGURATIONS = ("config.pbtxt", "configs/cpu.pbtxt", "configs/onnx.pbtxt")
# ONNX's types by their numbers, as Triton names them.
_TYPES = {1: "TYPE_FP32", 6: "TYPE_INT32", 7: "TYPE_INT64", 9: "TYPE_BOOL"}


def template(stage: str, denoisers: Collection[str]) -> str:
    """The hand-written stage whose configurations this one has: its own, if it has a folder by hand."""
    if stage in HAND_WRITTEN:
        return stage
    return DENOISER if stage in denoisers else NETWORK


def render(
    repository: Path, stage: str, like: str, onnx: Path, max_batch: int | None = None
) -> dict[str, str]:
    """The texts of the configurations and the model.py of `stage` by name; none if it has them by hand.

    like: its template. onnx: its graph, which tells its tensors.
    max_batch: the rows of its largest batch; None: the template's.
    """
    if stage in HAND_WRITTEN:
        return {}
    texts, graph = {}, None
    for name in _CONFIGURATIONS:
        if (source := repository / like / name).exists():
            config = parse_model_config(source)
            if stage == fast_name(like):  # the tensors are the same
                config.name = stage
            else:
                graph = graph or _graph(onnx)
                config = adapted(config, stage, graph, max_batch)
            about = f"{MARK}: {like}/{name} with the name and the tensors of this stage.\n"
            texts[name] = about + text_format.MessageToString(config)
    if (adapter := repository / like / "1" / "model.py").exists():
        texts["1/model.py"] = adapter.read_text()
    return texts


def write(repository: Path, stage: str, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        place = repository / stage / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def adapted(config: ModelConfig, stage: str, graph: Any, max_batch: int | None = None) -> ModelConfig:
    """A copy of a template's configuration with the stage's name, tensors and largest batch.

    graph: of its ONNX file.
    """
    copy = ModelConfig()
    copy.CopyFrom(config)
    copy.name = stage
    for tensors, values in ((copy.input, graph.input), (copy.output, graph.output)):
        del tensors[:]
        for value in values:
            _describe(tensors.add(), value, stage)
    if max_batch is not None and max_batch < copy.max_batch_size:
        copy.max_batch_size = max_batch
        preferred = copy.dynamic_batching.preferred_batch_size if copy.HasField("dynamic_batching") else []
        kept = [size for size in preferred if size <= max_batch]
        if kept != list(preferred):
            copy.dynamic_batching.preferred_batch_size[:] = kept
    return copy


def remove_others(repository: Path, stages: Collection[str], files: Collection[str]) -> None:
    """Remove what an earlier export wrote of another checkpoint: its gigabytes would never be used.

    stages, files: of this export; the files by their paths within the repository.
    """
    for config in repository.glob("*/config.pbtxt"):
        folder = config.parent
        if folder.name not in stages and is_artefact(folder):
            shutil.rmtree(folder, ignore_errors=True)
        elif folder.name not in stages and folder.name in HAND_WRITTEN:
            for pattern in ("1/model.onnx*", "1/model.plan*", "1/model.pt2", "configs/gpu.pbtxt"):
                for path in folder.glob(pattern):
                    path.unlink()
    for path in (repository / "tryon" / "1").glob("*"):
        if (
            path.is_file()
            and path.name != "model.py"
            and path.relative_to(repository).as_posix() not in files
        ):
            path.unlink()


def is_artefact(folder: Path) -> bool:
    """Whether the folder of a model was written by an export."""
    if folder.name in HAND_WRITTEN:
        return False
    if folder.name == "unet_fast":  # older exports did not mark it
        return True
    try:
        return (folder / "config.pbtxt").read_text().startswith(MARK)
    except OSError:
        return False


def _graph(onnx: Path) -> Any:
    import onnx as onnx_package

    return onnx_package.load(onnx, load_external_data=False).graph


def _describe(tensor: Any, value: Any, stage: str) -> None:
    """Name, type and shape of one tensor. One number per row is one element, which Triton reshapes."""
    kind = value.type.tensor_type
    if kind.elem_type not in _TYPES:
        raise ExportError(f"{stage}: {value.name} has ONNX's type {kind.elem_type}, which no stage may have")
    tensor.name = value.name
    tensor.data_type = (
        ModelConfig.DESCRIPTOR.file.enum_types_by_name["DataType"]
        .values_by_name[_TYPES[kind.elem_type]]
        .number
    )
    # The first dimension is the batch, which Triton does not count. A dynamic side has no value.
    sides = [side.dim_value or -1 for side in kind.shape.dim[1:]]
    tensor.dims.extend(sides or [1])
    if not sides:
        tensor.reshape.SetInParent()
