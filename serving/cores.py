"""How many processor cores this process may use."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OF_THIS_PROCESS = Path("/proc/self/cgroup")


def available_cores(cgroups: Path = _CGROUPS, of_this_process: Path = _OF_THIS_PROCESS) -> int:
    """The cores that the affinity and every CPU quota allow, at least 1; a part of a core counts as one.

    The affinity does not show a quota (`docker run --cpus 1`, a Kubernetes limit). With a quota of one core
    and a thread for each of 32 cores, a UNet call took 104 ms instead of 34.
    """
    cores = [float(len(os.sched_getaffinity(0))), *_quotas(cgroups, of_this_process)]
    return max(1, math.ceil(min(cores)))


def _quotas(cgroups: Path, of_this_process: Path) -> Iterator[float]:
    """The quota, in cores, of this process's cgroup and of each one above it."""
    for line in _read(of_this_process).splitlines():
        hierarchy, controllers, path = line.split(":", 2)
        if hierarchy == "0":
            mounts, read = (cgroups, cgroups / "unified"), _quota_v2
        elif "cpu" in controllers.split(","):
            mounts, read = (cgroups / "cpu", cgroups / controllers), _quota_v1
        else:
            continue
        # In a container the path may be the host's while the mount's root is the container's own cgroup.
        folder = Path(path.lstrip("/"))
        for mount in mounts:
            for level in (folder, *folder.parents):
                quota = read(mount / level)
                if quota is not None:
                    yield quota


def _quota_v2(folder: Path) -> float | None:
    """From `cpu.max`, such as "150000 100000"; None: no quota."""
    return _ratio(_read(folder / "cpu.max").split())


def _quota_v1(folder: Path) -> float | None:
    """From `cpu.cfs_quota_us`, -1 without a quota, and `cpu.cfs_period_us`."""
    return _ratio([_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")])


def _ratio(words: list[str]) -> float | None:
    if len(words) != 2 or not all(word.isdigit() and int(word) for word in words):
        return None  # "max", "-1", or no such file
    return int(words[0]) / int(words[1])


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
