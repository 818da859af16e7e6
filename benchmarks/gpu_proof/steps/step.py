"""Runs one step in this process. What ends it early leaves the figures that it has written."""

import argparse
import importlib
import time

import torch

from benchmarks.gpu_proof.figures import Recorded
from benchmarks.gpu_proof.sizes import SIZES, Size


def run_step(args: argparse.Namespace) -> None:
    recorded = Recorded(args.name, args.work / f"{args.name}.json")
    args.deadline = time.monotonic() + args.limit
    measure = importlib.import_module(f"benchmarks.gpu_proof.steps.{args.name}").measure
    measure(recorded, args)
    recorded.write()


def size_of(args: argparse.Namespace) -> Size:
    return SIZES[args.size]


def precision(args: argparse.Namespace) -> torch.dtype:
    """Of the networks: half on a GPU, as it is served; half on a CPU is emulated."""
    return torch.float16 if args.device == "cuda" else torch.float32


def left(args: argparse.Namespace) -> float:
    """Seconds until this step will be ended, without what its own end takes."""
    return float(args.deadline - time.monotonic() - min(8.0, 0.1 * args.limit))
