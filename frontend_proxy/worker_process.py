"""What runs first inside a worker's process. Nothing of the server is imported here."""

import importlib
import multiprocessing
import os
import resource
import signal
import threading
from pathlib import Path

from frontend_proxy.malloc import keep_large_blocks

NICENESS = 10


def begin() -> None:
    """First thing in the process: leave the CPU to the event loop, and never outlive the parent."""
    os.nice(NICENESS)
    keep_large_blocks()
    # BLAS's other threads spin after each product, which is a third of a fabric scan's processor time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends this
    threading.Thread(target=_end_with_parent, daemon=True).start()


def prepare(modules: tuple[str, ...], max_memory_bytes: int) -> None:
    # Here: at low priority, since at the start of the stack the models need the processor.
    import cv2
    import numpy as np

    for module in modules:
        importlib.import_module(module)
    cv2.resize(np.zeros((1024, 1024, 3), np.uint8), (512, 512))  # starts OpenCV's threads
    limit_memory(max_memory_bytes)


def limit_memory(max_bytes: int) -> None:
    """Allow this process `max_bytes` of private memory more than it has now; beyond, allocations fail.

    RLIMIT_DATA and not RLIMIT_AS: the address space also holds the libraries' files and what malloc only
    reserves, 64 MiB a thread. Counted from now on: stacks and BLAS's buffers grow with the number of cores.
    """
    status = Path("/proc/self/status").read_text()
    (now_kib,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = int(now_kib) * 1024 + max_bytes
    resource.setrlimit(
        resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
