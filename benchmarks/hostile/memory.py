"""The memory of a stack's processes over time."""

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

GROUPS = ("proxy", "workers", "triton")  # triton: the server and the processes of its models
_EVERY_S = 1.0


@dataclass
class Memory:
    """samples: seconds since the first sample, and MB of each of GROUPS: proportional set size, so that what
    processes share, like the regions in which Triton hands pictures to its models, is counted once."""

    stack: psutil.Process
    samples: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    async def watch(self) -> None:
        """Sample until cancelled."""
        began = time.monotonic()
        while True:
            self.samples.append((round(time.monotonic() - began, 1), await asyncio.to_thread(self._sample)))
            await asyncio.sleep(_EVERY_S)

    def between(self, begin_s: float, end_s: float) -> list[float]:
        """MB of all processes together, of the samples in this time."""
        return [sum(groups.values()) for at, groups in self.samples if begin_s <= at < end_s]

    def _sample(self) -> dict[str, float]:
        megabytes = dict.fromkeys(GROUPS, 0.0)
        for group, processes in process_groups(self.stack).items():
            for process in processes:
                with contextlib.suppress(OSError):  # it has ended
                    megabytes[group] += proportional_set_size(process.pid) / 1e6
        return {group: round(mb) for group, mb in megabytes.items()}


def proportional_set_size(pid: int) -> int:
    """Bytes. Raises OSError if there is no such process."""
    found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return 1024 * int(found[1]) if found else 0  # nothing: it is ending


def process_groups(stack: psutil.Process) -> dict[str, list[psutil.Process]]:
    """The processes below the supervisor `stack`, by group."""
    found: dict[str, list[psutil.Process]] = {group: [] for group in GROUPS}
    for child in stack.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            is_proxy = child.cmdline()[-1:] == ["frontend_proxy"]
            found["proxy" if is_proxy else "triton"].append(child)
            found["workers" if is_proxy else "triton"] += child.children(recursive=True)
    return found
