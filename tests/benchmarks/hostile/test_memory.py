import os

import psutil

from benchmarks.hostile.memory import GROUPS, Memory, process_groups


class FakeProcess:
    def __init__(self, command, children=(), rss=0):
        self._command, self._children, self._rss = command, list(children), rss

    def cmdline(self):
        return self._command

    def children(self, recursive=False):
        below = [grandchild for child in self._children for grandchild in child.children(True)]
        return self._children + (below if recursive else [])

    def memory_info(self):
        return type("Info", (), {"rss": self._rss})


def test_processes_are_counted_in_their_group():
    stub, worker = FakeProcess(["stub"], rss=2e6), FakeProcess(["python", "-c"], rss=30e6)
    triton = FakeProcess(["tritonserver"], [FakeProcess(["stub"], [stub], rss=1e6)], rss=100e6)
    stack = FakeProcess(
        ["serving"], [FakeProcess(["python", "-m", "frontend_proxy"], [worker], 70e6), triton]
    )
    assert {group: len(found) for group, found in process_groups(stack).items()} == {
        "proxy": 1, "workers": 1, "triton": 3,
    }  # fmt: skip
    assert Memory(stack)._sample() == {"proxy": 70, "workers": 30, "triton": 103}


def test_a_phase_has_its_own_samples():
    memory = Memory(psutil.Process(os.getpid()))
    memory.samples = [(at, dict.fromkeys(GROUPS, 10.0 * at)) for at in (0.0, 1.0, 2.0, 3.0)]
    assert memory.between(1.0, 3.0) == [30.0, 60.0]
