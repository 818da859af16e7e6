"""`make check-tensorrt`: every stage parsed and compiled ahead of time by TensorRT-RTX, without a GPU.

It proves that the ONNX holds only operators that TensorRT's parser and builder take, that the types inside
are consistent under strong typing, and that the serving batch ranges and resolutions fit the graph, for GPUs
of compute capability 8.6 and 8.9. It proves nothing about speed, memory or numbers, and TensorRT-RTX is
another product than the TensorRT that serves: nothing has run on TensorRT here.

Two halves, since TensorRT-RTX has a virtual environment of its own:

    python -m export.checks.tensorrt prepare FOLDER    ONNX, and graphs that must fail
    python -m export.checks.tensorrt compile FOLDER    in TensorRT-RTX's environment
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.engines import batch_range
from export.errors import ExportError
from export.tensorrt_engine import BuildOptions, BuildProgress, Shapes, build_engine

ROOT = Path(__file__).resolve().parents[2]
CAPABILITIES = ("SM86", "SM89")
MUST_FAIL = "must-fail"
PROGRESS_EVERY_S = 20.0


def prepare(folder: Path, checkpoint: str) -> None:
    """Write repositories `folder`/fp32, fp16 and "fp16, two resolutions", and graphs that must fail."""
    from export.exporter import export

    for precision in ("fp32", "fp16"):
        export(checkpoint, folder / precision, "gpu", precision)
    export(
        str(_with_two_resolutions(checkpoint, folder / "checkpoint")), folder / "fp16, two resolutions", "gpu"
    )
    write_controls(folder / "fp16" / "unet" / "1" / "model.onnx", folder / MUST_FAIL)


def _with_two_resolutions(checkpoint: str, copy: Path) -> Path:
    """The checkpoint, with captures half as high again as keyframes."""
    from export.checkpoint import locate
    from export.pipeline_config import read_config
    from pipeline.recipe import RESOLUTION_STEP

    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(locate(checkpoint), copy)
    unet = json.loads((copy / "unet" / "config.json").read_text())
    config = read_config(copy, unet["sample_size"])
    height, width = config.resolution
    higher = (height * 3 // 2 // RESOLUTION_STEP * RESOLUTION_STEP, width)
    capture = config.capture.model_copy(update={"resolution": higher})
    changed = config.model_copy(update={"capture": capture})
    (copy / "pipeline.json").write_text(changed.model_dump_json())
    return copy


def write_manifest(repository: Path, stages: dict[str, Any]) -> None:
    """As much of an export's manifest as `find_graphs` reads."""
    (repository / "manifest.json").write_text(json.dumps({"stages": stages}))


def write_controls(unet: Path, folder: Path) -> None:
    """Three graphs from a UNet that `build_engine` must refuse, each with one fault.

    The static batch is refused before TensorRT sees it, since its own words do not tell what is wrong.
    """
    import onnx

    folder.mkdir(parents=True, exist_ok=True)

    unsupported = onnx.load(unet)
    last = unsupported.graph.node[-1]
    wanted = last.output[0]
    last.output[0] = f"{wanted}_before"
    unsupported.graph.node.append(onnx.helper.make_node("Det", [last.output[0]], [wanted]))
    onnx.save(unsupported, folder / "unsupported_operator.onnx")

    static = onnx.load(unet)
    for value in static.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 2
    onnx.save(static, folder / "static_batch.onnx")

    channels = onnx.load(unet)
    sample = next(value for value in channels.graph.input if value.name == "sample")
    sample.type.tensor_type.shape.dim[1].dim_value = 8
    onnx.save(channels, folder / "wrong_channels.onnx")


@dataclass(frozen=True)
class Graph:
    """One to compile, and whether it must be refused."""

    name: str
    onnx: Path
    stage: str
    buckets: list[Shapes]
    must_fail: bool = False


def find_graphs(folder: Path) -> Iterator[Graph]:
    """What was prepared, the controls last."""
    for path in sorted(folder.glob("*/manifest.json")):
        for stage, entry in json.loads(path.read_text())["stages"].items():
            onnx = path.parent / stage / "1" / "model.onnx"
            yield Graph(f"{path.parent.name} {stage}", onnx, stage, entry["buckets"])
    if (folder / MUST_FAIL).is_dir():
        stages = json.loads((folder / "fp16" / "manifest.json").read_text())["stages"]
        [bucket] = stages["unet"]["buckets"]
        for onnx in sorted((folder / MUST_FAIL).glob("*.onnx")):
            fault = {"sample": [8, *bucket["sample"][1:]]} if onnx.stem == "wrong_channels" else {}
            yield Graph(onnx.stem, onnx, "unet", [bucket | fault], must_fail=True)


def compile_all(folder: Path) -> int:
    """Print a line for each graph and capability; returns how many were not as they must be."""
    graphs = list(find_graphs(folder))
    if not graphs:
        print(f"!! there is nothing to compile in {folder}", flush=True)
        return 1
    import tensorrt_rtx as trt

    wrong = 0
    for graph in graphs:
        batch = batch_range(ROOT / "model_repository", graph.stage)
        for capability in CAPABILITIES:
            began = time.perf_counter()
            options = BuildOptions(
                compute_capability=capability, on_progress=_now_and_then(f"{capability}  {graph.name}")
            )
            try:
                # Its size alone: gigabytes must not be held while the next is built.
                size = len(build_engine(trt, graph.onnx, batch, graph.buckets, options))
                failed = False
                said = f"compiled, {size / 1e6:.1f} MB, {time.perf_counter() - began:.1f} s"
            except ExportError as error:
                failed, said = True, f"refused: {str(error).removeprefix(f'{graph.onnx}: ')}"
            wrong += failed != graph.must_fail
            mark = "  " if failed == graph.must_fail else "!!"
            print(f"{mark} {capability}  {graph.name:<38} {said:.160}", flush=True)
    print(f"TensorRT-RTX {trt.__version__}: {wrong or 'nothing'} not as it must be")
    return wrong


def _now_and_then(what: str) -> BuildProgress:
    """A line where a build takes long."""
    told = time.perf_counter()

    def tell(phase: str, done: int, steps: int) -> None:
        nonlocal told
        if time.perf_counter() - told > PROGRESS_EVERY_S:
            told = time.perf_counter()
            print(f"   {what}: {phase}, {done} of {steps}", flush=True)

    return tell


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export.checks.tensorrt", description=__doc__)
    parser.add_argument("half", choices=["prepare", "compile"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", default=str(ROOT / "export" / "checkpoints" / "lucy-tiny"))
    args = parser.parse_args(argv)
    if args.half == "compile":
        return min(compile_all(args.folder), 1)
    prepare(args.folder, args.checkpoint)
    return 0


if __name__ == "__main__":
    sys.exit(main())
