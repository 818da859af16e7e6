"""The name of this machine's processor, under which the manifest keeps what was measured on it."""

import hashlib
import platform
from pathlib import Path

from serving.cores import available_cores

_CPUINFO = Path("/proc/cpuinfo")


def processor_name(cpuinfo: Path = _CPUINFO) -> str:
    """Such as "AMD EPYC (family 25, model 17, features 6cb6f7a1), 2 cores".

    A virtual machine often hides which EPYC or Xeon it is, or some of its instructions, and the number of
    cores decides what threads bring: whatever changes a choice of runtimes is in the name.
    """
    try:
        first = cpuinfo.read_text().split("\n\n")[0]
    except OSError:
        first = ""
    values = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())
    }
    flags = values.get("flags") or values.get("Features") or ""
    details = [f"{name} {value}" for name in ("family", "model") if (value := values.get(_KEYS[name]))]
    details += [f"features {hashlib.sha256(flags.encode()).hexdigest()[:8]}"]
    name = values.get("model name") or platform.machine()
    cores = available_cores()
    return f"{name} ({', '.join(details)}), {cores} core{'s' * (cores != 1)}"


def has_amx(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether it has matrix units for bfloat16."""
    try:
        return "amx_bf16" in cpuinfo.read_text().split()
    except OSError:
        return False


_KEYS = {"family": "cpu family", "model": "model"}
