"""`make check-tensorrt`: every stage parsed and compiled ahead of time by TensorRT-RTX, without a GPU.

It proves that the ONNX holds only operators that TensorRT's parser and builder take, that the types inside
are consistent under strong typing, and that the serving batch ranges fit the graph, for GPUs of compute
capability 8.6 and 8.9. It proves nothing about speed, memory or numbers, and TensorRT-RTX is another product
than the TensorRT that serves: nothing has run on TensorRT here.

Two halves, since TensorRT-RTX has a virtual environment of its own:

    python -m export.tensorrt_check prepare FOLDER    ONNX in fp32 and fp16, and graphs that must fail
    python -m export.tensorrt_check compile FOLDER    in TensorRT-RTX's environment
"""

import argparse
import sys
import time
from pathlib import Path

from export.engines import batch_range
from export.errors import ExportError
from export.tensorrt_engine import BuildOptions, build_engine

ROOT = Path(__file__).resolve().parent.parent
CAPABILITIES = ("SM86", "SM89")
MUST_FAIL = "must-fail"


def prepare(folder: Path, checkpoint: str) -> None:
    """Write `folder`/fp32, `folder`/fp16 (a repository each) and `folder`/must-fail/*.onnx."""
    from export.exporter import export

    for precision in ("fp32", "fp16"):
        export(checkpoint, folder / precision, "gpu", precision)
    write_controls(folder / "fp16" / "unet" / "1" / "model.onnx", folder / MUST_FAIL)


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


def compile_all(folder: Path) -> int:
    """Print a line for each stage, precision and capability; returns how many were not as they must be."""
    import tensorrt_rtx as trt

    wrong = 0
    for capability in CAPABILITIES:
        for onnx in sorted(folder.glob("*/*/1/model.onnx")) + sorted(folder.glob(f"{MUST_FAIL}/*.onnx")):
            control = onnx.parent.name == MUST_FAIL
            name = onnx.stem if control else f"{onnx.parts[-4]} {onnx.parts[-3]}"
            batch = batch_range(ROOT / "model_repository", "unet" if control else onnx.parts[-3])
            began = time.perf_counter()
            try:
                plan = build_engine(trt, onnx, batch, BuildOptions(compute_capability=capability))
                said, failed = (
                    f"compiled, {len(plan) / 1e6:.1f} MB, {time.perf_counter() - began:.1f} s",
                    False,
                )
            except ExportError as error:
                said, failed = f"refused: {str(error).removeprefix(f'{onnx}: ')}", True
            wrong += failed != control
            print(f"{'  ' if failed == control else '!!'} {capability}  {name:<22} {said:.200}", flush=True)
    print(f"TensorRT-RTX {trt.__version__}: {wrong or 'nothing'} not as it must be")
    return wrong


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export.tensorrt_check", description=__doc__)
    parser.add_argument("half", choices=["prepare", "compile"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", default=str(ROOT / "export" / "checkpoints" / "lucy-tiny"))
    args = parser.parse_args(argv)
    if args.half == "prepare":
        prepare(args.folder, args.checkpoint)
        return 0
    return min(compile_all(args.folder), 1)


if __name__ == "__main__":
    sys.exit(main())
