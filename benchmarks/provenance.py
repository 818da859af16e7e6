"""Where a figure comes from: command, time, commit, machine."""

import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from serving.cpu_settings import CpuSettings
from serving.stages.measured import measured_runtime
from serving.stages.runtime import choose_runtime
from tests.repository import REPOSITORY

UNET = REPOSITORY / "unet" / "1" / "model.onnx"


def provenance() -> dict[str, object]:
    module = (sys.modules["__main__"].__spec__ or sys.modules[__name__].__spec__).name
    arguments = shlex.join(sys.argv[1:])
    return {
        "command": f"python -m {module.removesuffix('.__main__')} {arguments}".strip(),
        "began": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        "commit": commit(),
        "machine": f"{cpu_name()}, {os.cpu_count()} cores, {platform.machine()}, {platform.system()}, "
        f"UNet on {choose_runtime(CpuSettings().cpu_runtime, measured_runtime(UNET))}",
        "load_average": load_average(),
    }


def commit() -> str:
    """The commit's short name, with `-dirty` where the tree differs from it."""
    found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def load_average() -> float:
    """The load average of the last minute: the machine's other work before a measurement."""
    return round(os.getloadavg()[0], 2)


def cpu_name() -> str:
    """The processor's name by the kernel, or the architecture if the kernel has none."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()
