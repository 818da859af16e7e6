"""What the figures were measured on."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("torch", "diffusers", "transformers", "numpy", "nvidia-pytriton", "tritonclient")
STAMP = Path("COMMIT")  # beside the code that was packed, which has no history


def describe_device(device: str) -> dict[str, Any]:
    """Raises ValueError if it is a GPU and there is none."""
    cores = {"cores": os.cpu_count(), "python": platform.python_version()}
    if device == "cpu":
        return {"kind": "cpu", "name": f"{platform.machine()} CPU", **cores}
    if not torch.cuda.is_available():
        raise ValueError("torch sees no GPU here; --device cpu --size tiny rehearses the proof without one")
    properties = torch.cuda.get_device_properties(0)
    return {
        "kind": "cuda",
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
        "driver": _driver(),
        **cores,
    }


def versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def source() -> str:
    """The commit of this code."""
    if STAMP.exists():
        return STAMP.read_text().strip()
    from benchmarks.provenance import commit

    return commit()


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else None
