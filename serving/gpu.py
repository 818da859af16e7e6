"""The GPUs of this machine, as `nvidia-smi` lists them."""

import subprocess
from dataclasses import dataclass

_QUERY = ("index", "name", "compute_cap", "driver_version", "memory.total", "memory.free")


@dataclass(frozen=True)
class Gpu:
    """One GPU.

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
    """All GPUs; an empty list without a driver or a GPU."""
    command = ["nvidia-smi", f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return parse(output)


def parse(output: str) -> list[Gpu]:
    """The GPUs in `nvidia-smi`'s output, without lines that lack a value."""
    gpus = []
    for line in output.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != len(_QUERY) or not all(fields[i].isdigit() for i in (0, 4, 5)):
            continue
        index, name, capability, driver, total, free = fields
        gpus.append(Gpu(int(index), name, capability, driver, int(total), int(free)))
    return gpus
