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
    one_thread()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends this
    threading.Thread(target=_end_with_parent, daemon=True).start()


def one_thread() -> None:
    """Let NumPy's BLAS and OpenCV compute in one thread each, if they are not imported yet.

    BLAS's other threads spin after each product: a third of a fabric scan's processor time. OpenCV's cost
    8 % of it. The process runs one call at a time, beside models that need the cores.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")


def prepare(modules: tuple[str, ...], max_memory_bytes: int) -> int:
    """Import the modules, then limit the memory; returns the process's id."""
    # Here: at low priority, since at the start of the stack the models need the processor.
    for module in modules:
        importlib.import_module(module)
    limit_memory(max_memory_bytes)
    return os.getpid()


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
