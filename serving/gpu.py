"""The GPUs of this machine, as `nvidia-smi` tells them."""

import subprocess
from dataclasses import dataclass

_QUERY = ("index", "name", "compute_cap", "driver_version", "memory.total", "memory.free")


@dataclass(frozen=True)
class Gpu:
    """
    compute_capability: like "8.6".
    memory_total, memory_free: in MiB.
    """

    index: int
    name: str
    compute_capability: str
    driver: str
    memory_total: int
    memory_free: int


def query_gpus() -> list[Gpu]:
    """None where there is no driver or no GPU."""
    command = ["nvidia-smi", f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return parse(told)


def parse(told: str) -> list[Gpu]:
    """`nvidia-smi`'s lines; one that it could not fill in is left out."""
    gpus = []
    for line in told.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != len(_QUERY) or not all(fields[i].isdigit() for i in (0, 4, 5)):
            continue
        index, name, capability, driver, total, free = fields
        gpus.append(Gpu(int(index), name, capability, driver, int(total), int(free)))
    return gpus
