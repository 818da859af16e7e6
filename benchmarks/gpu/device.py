"""The device's peak rates, the lower bound of a call's time, and its measured time."""

import importlib.metadata
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.networks import Inputs


def milliseconds(run: Callable[[], object], device: str, budget: float) -> float:
    """The median of 5 or more runs within about `budget` seconds, after 3 warm-up runs; 0 is one run."""
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < (8 if budget else 1) or time.perf_counter() - began < budget:
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[3:] or times)


def measure_device(device: str, dtype: torch.dtype, budget: float) -> dict[str, float]:
    """The matrix rate in FLOP/s and the bandwidth in byte/s, from which the lower bounds are computed."""
    side = 8192 if device == "cuda" else 512
    square = torch.randn(side, side, device=device, dtype=dtype)
    product = torch.empty_like(square)
    matrix = milliseconds(lambda: torch.matmul(square, square, out=product), device, budget)
    source = torch.empty((1 << 30) if device == "cuda" else (1 << 26), device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    copy = milliseconds(lambda: target.copy_(source), device, budget)
    return {"flops_per_s": 2 * side**3 / matrix * 1e3, "bytes_per_s": 2 * source.nbytes / copy * 1e3}


def floor(network: nn.Module, inputs: Inputs, rates: dict[str, float]) -> dict[str, float]:
    """The lower bound of this call's time on this device, in milliseconds."""
    with FlopCounterMode(display=False) as counter:
        output = network(**inputs)
    outputs = output if isinstance(output, tuple) else (output,)
    moved = (*network.parameters(), *inputs.values(), *outputs)
    compute = 1e3 * counter.get_total_flops() / rates["flops_per_s"]
    memory = 1e3 * sum(it.nbytes for it in moved) / rates["bytes_per_s"]
    return {"compute_ms": compute, "memory_ms": memory, "floor_ms": max(compute, memory)}


def gpu_memory_used() -> int | None:
    """Bytes in use on the whole device, since torch does not count other engines' memory; None on a CPU."""
    if not torch.cuda.is_available():
        return None
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    return total - free


def describe_device(device: str, tiny: bool) -> dict[str, Any]:
    versions = {}
    for package in ("torch", "diffusers", "onnxruntime", "onnxruntime-gpu", "tensorrt"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    cuda = device == "cuda"
    return {
        "name": torch.cuda.get_device_name() if cuda else f"{platform.machine()} CPU",
        "precision": "fp16" if cuda else "fp32",
        "networks": "tiny: the figures mean nothing" if tiny else "Stable Diffusion 1.5 inpainting",
        "versions": versions,
    }
