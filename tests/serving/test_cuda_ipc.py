import ctypes
from types import SimpleNamespace

import pytest
import torch

from serving.cuda_ipc import ipc_fault


@pytest.fixture
def gpu(monkeypatch):
    """A GPU whose driver answers with that status."""

    def has(status):
        memory = SimpleNamespace(data_ptr=lambda: 0x7F0000000000)
        driver = SimpleNamespace(cuIpcGetMemHandle=lambda handle, pointer: status)
        monkeypatch.setattr(torch, "zeros", lambda *shape, device: memory)
        monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)

    return has


@pytest.fixture
def kernel(tmp_path):
    def named(release):
        path = tmp_path / "osrelease"
        path.write_text(f"{release}\n")
        return path

    return named


def test_wsl2_cannot_whatever_its_driver_says(gpu, kernel):
    gpu(0)
    assert ipc_fault(kernel("6.6.87.2-microsoft-standard-WSL2")) == "WSL2 has no CUDA IPC"


@pytest.mark.parametrize(("status", "fault"), [(0, None), (801, "cuIpcGetMemHandle returned 801")])
def test_elsewhere_the_driver_is_asked(gpu, kernel, status, fault):
    gpu(status)
    found = ipc_fault(kernel("6.1.0-37-amd64"))
    assert found is None if fault is None else fault in found


def test_a_machine_without_cuda_says_so(kernel):
    assert "CUDA does not start" in ipc_fault(kernel("6.1.0-37-amd64"))
