"""The GPUs of this machine, as `nvidia-smi` lists them."""

import os
import subprocess
from dataclasses import dataclass

_QUERY = ("index", "name", "compute_cap", "driver_version", "memory.total", "memory.free")


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    compute_capability: like "8.6".
    memory_total, memory_free: in MiB. A GPU that shares the processor's memory has no own, and nvidia-smi
        tells none: then it is the machine's.
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
    """The GPUs in `nvidia-smi`'s output, without lines that are no GPU's."""
    gpus = []
    for line in output.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != len(_QUERY) or not fields[0].isdigit() or not _is_version(fields[2]):
            continue
        index, name, capability, driver, total, free = fields
        memory_total = int(total) if total.isdigit() else _mebibytes("SC_PHYS_PAGES")
        memory_free = int(free) if free.isdigit() else _mebibytes("SC_AVPHYS_PAGES")
        gpus.append(Gpu(int(index), name, capability, driver, memory_total, memory_free))
    return gpus


def _is_version(text: str) -> bool:
    return all(part.isdigit() for part in text.split("."))


def _mebibytes(pages: str) -> int:
    return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE") >> 20
