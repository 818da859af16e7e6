"""`make check-tensorrt`: TensorRT-RTX parses and compiles every stage ahead of time, without a GPU.

It shows that the ONNX files contain only operators that TensorRT's parser and builder accept, that their
types are consistent under strong typing, and that the batch ranges and resolutions fit the graphs, for GPUs
of compute capability 8.6 and 8.9. It shows nothing about speed, memory or numerical results, and TensorRT-RTX
is not the TensorRT that serves: this check runs nothing on TensorRT.

It has two steps, since TensorRT-RTX has its own virtual environment, which contains nothing else:

    python -m export.checks.tensorrt prepare FOLDER    writes ONNX files, and graphs that must fail
    python -m export.checks.tensorrt compile FOLDER    in TensorRT-RTX's environment
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.tensorrt_engine import BatchRange, BuildOptions, BuildProgress, Shapes, build_engine

ROOT = Path(__file__).resolve().parents[2]
CAPABILITIES = ("SM86", "SM89")
MUST_FAIL = "must-fail"
BATCH_RANGES = "batch_ranges.json"
PROGRESS_EVERY_S = 20.0


def prepare(folder: Path, checkpoint: str) -> None:
    """Write repositories `folder`/fp32, fp16 and "fp16, two resolutions", and graphs that must fail."""
    from export.exporter import export

    write_batch_ranges(folder)
    for precision in ("fp32", "fp16"):
        export(checkpoint, folder / precision, "gpu", precision)
    export(
        str(_with_two_resolutions(checkpoint, folder / "checkpoint")), folder / "fp16, two resolutions", "gpu"
    )
    write_controls(folder / "fp16" / "unet" / "1" / "model.onnx", folder / MUST_FAIL)


def _with_two_resolutions(checkpoint: str, copy: Path) -> Path:
    """A copy of the checkpoint in which captures are 1.5 times as high as keyframes."""
    from export.checkpoint import locate
    from pipeline.recipe import RESOLUTION_STEP

    shutil.rmtree(copy, ignore_errors=True)
    located = locate(checkpoint)
    shutil.copytree(located.path, copy)
    config = located.family.load(copy).config
    height, width = config.resolution
    higher = (height * 3 // 2 // RESOLUTION_STEP * RESOLUTION_STEP, width)
    capture = config.capture.model_copy(update={"resolution": higher})
    changed = config.model_copy(update={"capture": capture})
    (copy / "pipeline.json").write_text(changed.model_dump_json())
    return copy


def write_batch_ranges(folder: Path) -> None:
    """Write the batch ranges of each stage, since TensorRT-RTX's environment cannot read config.pbtxt."""
    from export.engines import batch_range, tuned_ranges
    from export.stage_folder import HAND_WRITTEN

    ranges = {
        stage: [asdict(batch) for batch in tuned_ranges(batch_range(ROOT / "model_repository", stage))]
        for stage in HAND_WRITTEN
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BATCH_RANGES).write_text(json.dumps(ranges))


def write_manifest(repository: Path, stages: dict[str, Any]) -> None:
    """Write the part of an export's manifest that `find_graphs` reads."""
    (repository / "manifest.json").write_text(json.dumps({"stages": stages}))


def write_controls(unet: Path, folder: Path) -> None:
    """Write three variants of a UNet that `build_engine` must refuse, each with one fault.

    `build_engine` itself refuses the static batch, since TensorRT's message does not name the fault.
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
    """A graph to compile, and whether it must be refused.

    most: rows, if fewer than its template in the model repository takes.
    """

    name: str
    onnx: Path
    stage: str
    buckets: list[Shapes]
    must_fail: bool = False
    most: int | None = None


def find_graphs(folder: Path) -> Iterator[Graph]:
    """The prepared graphs; those that must fail come last."""
    for path in sorted(folder.glob("*/manifest.json")):
        for stage, entry in json.loads(path.read_text())["stages"].items():
            onnx = path.parent / stage / "1" / "model.onnx"
            name, most = f"{path.parent.name} {stage}", entry.get("max_batch")
            yield Graph(name, onnx, stage, entry["buckets"], most=most)
    if (folder / MUST_FAIL).is_dir():
        stages = json.loads((folder / "fp16" / "manifest.json").read_text())["stages"]
        [bucket] = stages["unet"]["buckets"]
        for onnx in sorted((folder / MUST_FAIL).glob("*.onnx")):
            fault = {"sample": [8, *bucket["sample"][1:]]} if onnx.stem == "wrong_channels" else {}
            yield Graph(onnx.stem, onnx, "unet", [bucket | fault], must_fail=True)


def compile_all(folder: Path) -> int:
    """Print a line for each graph and capability; returns the number of wrong results."""
    graphs = list(find_graphs(folder))
    if not graphs:
        print(f"!! {folder} contains nothing to compile", flush=True)
        return 1
    import tensorrt_rtx as trt

    wrong = 0
    ranges = json.loads((folder / BATCH_RANGES).read_text())
    for graph in graphs:
        batches = [
            _limited(BatchRange(**batch), graph.most) for batch in ranges.get(graph.stage, ranges["unet"])
        ]
        for capability in CAPABILITIES:
            began = time.perf_counter()
            options = BuildOptions(
                compute_capability=capability, on_progress=_print_sometimes(f"{capability}  {graph.name}")
            )
            try:
                # Only the size is kept: an engine takes gigabytes.
                size = len(build_engine(trt, graph.onnx, batches, graph.buckets, options))
                failed = False
                result = f"compiled, {size / 1e6:.1f} MB, {time.perf_counter() - began:.1f} s"
            except ExportError as error:
                failed, result = True, f"refused: {str(error).removeprefix(f'{graph.onnx}: ')}"
            wrong += failed != graph.must_fail
            mark = "  " if failed == graph.must_fail else "!!"
            print(f"{mark} {capability}  {graph.name:<38} {result:.160}", flush=True)
    print(f"TensorRT-RTX {trt.__version__}: {wrong or 'no'} wrong results")
    return wrong


def _limited(batch: BatchRange, most: int | None) -> BatchRange:
    if most is None:
        return batch
    return BatchRange(min(batch.least, most), min(batch.best, most), min(batch.most, most))


def _print_sometimes(label: str) -> BuildProgress:
    """Prints the progress of a build that takes long."""
    printed = time.perf_counter()

    def show(phase: str, done: int, steps: int) -> None:
        nonlocal printed
        if time.perf_counter() - printed > PROGRESS_EVERY_S:
            printed = time.perf_counter()
            print(f"   {label}: {phase}, {done} of {steps}", flush=True)

    return show


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export.checks.tensorrt", description=__doc__)
    parser.add_argument("step", choices=["prepare", "compile"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", default=str(ROOT / "export" / "checkpoints" / "lucy-tiny"))
    args = parser.parse_args(argv)
    if args.step == "compile":
        return min(compile_all(args.folder), 1)
    prepare(args.folder, args.checkpoint)
    return 0


if __name__ == "__main__":
    sys.exit(main())
