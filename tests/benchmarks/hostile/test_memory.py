import os

import psutil
import pytest

from benchmarks.hostile import memory
from benchmarks.hostile.memory import GROUPS, Memory, process_groups, proportional_set_size


class FakeProcess:
    def __init__(self, command, children=(), pid=0):
        self._command, self._children, self.pid = command, list(children), pid

    def cmdline(self):
        return self._command

    def children(self, recursive=False):
        below = [grandchild for child in self._children for grandchild in child.children(True)]
        return self._children + (below if recursive else [])


def test_processes_are_counted_in_their_group(monkeypatch):
    monkeypatch.setattr(memory, "proportional_set_size", {1: 2e6, 2: 30e6, 3: 1e6, 4: 100e6, 5: 70e6}.get)
    stub, worker = FakeProcess(["stub"], pid=1), FakeProcess(["python", "-c"], pid=2)
    triton = FakeProcess(["tritonserver"], [FakeProcess(["stub"], [stub], pid=3)], pid=4)
    stack = FakeProcess(["serving"], [FakeProcess(["python", "-m", "frontend_proxy"], [worker], 5), triton])
    assert {group: len(found) for group, found in process_groups(stack).items()} == {
        "proxy": 1, "workers": 1, "triton": 3,
    }  # fmt: skip
    assert Memory(stack)._sample() == {"proxy": 70, "workers": 30, "triton": 103}


def test_the_size_is_at_least_what_this_process_holds():
    held = bytearray(b"x" * 50_000_000)
    assert proportional_set_size(os.getpid()) > len(held)
    with pytest.raises(OSError, match="No such"):
        proportional_set_size(2**22 + 1)


def test_a_phase_has_its_own_samples():
    watched = Memory(psutil.Process(os.getpid()))
    watched.samples = [(at, dict.fromkeys(GROUPS, 10.0 * at)) for at in (0.0, 1.0, 2.0, 3.0)]
    assert watched.between(1.0, 3.0) == [30.0, 60.0]
