"""What the networks of Stable Diffusion 1.5 inpainting cost on this GPU, stage by stage and end to end.

    python -m benchmarks.gpu                              # all engines that are installed; about an hour
    python -m benchmarks.gpu --engines eager,cuda_graph --batches 1,4
    python -m benchmarks.gpu --tiny                       # a test of this code on any machine

Run it from the folder that holds `benchmarks/`: of this repository it needs only `benchmarks/gpu/`, and of
packages only torch and diffusers. It uses onnxruntime-gpu and tensorrt if they are installed (both need onnx
and onnxscript), and says what it skips. The weights are random, because time does not depend on them.

Every stage is compared with two lower bounds, of which the higher one counts: its FLOPs divided by the matrix
rate, and the bytes that it must move (weights once, inputs, outputs) divided by the bandwidth. Both rates are
measured on this device.
"""

import argparse
import json
from pathlib import Path

import torch

from benchmarks.gpu.engines import ENGINES
from benchmarks.gpu.plot import plot
from benchmarks.gpu.sweep import sweep


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", type=lambda text: text.split(","), default=list(ENGINES))
    parser.add_argument("--batches", type=_numbers, default=[1, 2, 4, 8, 16])
    parser.add_argument("--users", type=_numbers, default=[1, 4, 8], help="of whole pictures; two rows each")
    parser.add_argument(
        "--resolutions", type=_sizes, default=[(512, 512), (768, 1024)], help="512x512,768x1024"
    )
    parser.add_argument("--budget", type=float, default=2.0, help="seconds of each figure")
    parser.add_argument("--tiny", action="store_true", help="the least networks: a test of this script")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"), help="and a plot beside it")
    args = parser.parse_args(argv)
    args.device = "cuda" if torch.cuda.is_available() else "cpu"
    if args.device == "cpu" and not args.tiny:
        parser.error("there is no GPU here; --tiny proves the script without one")
    if unknown := set(args.engines) - set(ENGINES):
        parser.error(f"no engine is called {unknown.pop()}; there are {', '.join(ENGINES)}")
    with torch.no_grad():
        report = sweep(args)
    args.output.write_text(json.dumps(report, indent=1) + "\n")
    try:
        plot(report, args.output.with_suffix(".png"))
    except ImportError as error:
        print(f"no plot: {error}")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _sizes(text: str) -> list[tuple[int, int]]:
    return [(int(height), int(width)) for height, width in (part.split("x") for part in text.split(","))]


if __name__ == "__main__":
    main()
