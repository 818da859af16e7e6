"""Whether processes can share a GPU's memory (CUDA IPC), by which Triton hands tensors to its Python models.

WSL2 cannot, and some virtual GPUs cannot; there every such tensor would be an error.
"""

import ctypes
from pathlib import Path

_OS_RELEASE = Path("/proc/sys/kernel/osrelease")
_HANDLE_BYTES = 64  # CU_IPC_HANDLE_SIZE


def ipc_fault(os_release: Path = _OS_RELEASE) -> str | None:
    """Why processes cannot share the memory of this machine's first GPU, or None.

    It asks the driver for a handle of some memory, which creates a CUDA context in this process.
    """
    if "microsoft" in os_release.read_text().lower():
        return "WSL2 has no CUDA IPC"
    import torch

    try:
        memory = torch.zeros(1, device="cuda")
        driver = ctypes.CDLL("libcuda.so.1")
    except (RuntimeError, AssertionError, OSError) as error:  # torch asserts that it was built for CUDA
        return f"CUDA does not start ({error})"
    handle = ctypes.create_string_buffer(_HANDLE_BYTES)
    status = driver.cuIpcGetMemHandle(handle, ctypes.c_uint64(memory.data_ptr()))
    return f"the driver shares no memory (cuIpcGetMemHandle returned {status})" if status else None
