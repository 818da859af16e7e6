import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest

from frontend_proxy.errors import Overloaded, ProxyError
from frontend_proxy.worker import NICENESS, Worker


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker(max_waiting=2)
    async with worker.running():
        yield worker


async def test_calls_run_niced_in_another_process(worker: Worker) -> None:
    assert await worker.run(os.getpid) != os.getpid()
    assert await worker.run(os.nice, 0) == min(os.nice(0) + NICENESS, 19)
    assert worker.ready


async def test_what_the_call_raises_arrives(worker: Worker) -> None:
    with pytest.raises(ZeroDivisionError):
        await worker.run(divmod, 1, 0)
    assert await worker.run(divmod, 7, 2) == (3, 1)


async def test_memory_stays_for_the_next_call(worker: Worker) -> None:
    """glibc gives back what it deems too much, and the next scan faulted each of its pages in again."""
    pictures = "len([b'x' * (16 << 20) for _ in range(4)])"
    faults = "__import__('resource').getrusage(0).ru_minflt"
    await worker.run(eval, pictures)
    before = await worker.run(eval, faults)
    await worker.run(eval, pictures)
    assert await worker.run(eval, faults) - before < 1000  # of the 16384 pages that they fill


async def test_a_crash_fails_only_the_call_that_crashed(worker: Worker) -> None:
    """A dead process breaks a ProcessPoolExecutor with all that it holds, and for good."""
    crash, after = await asyncio.gather(
        worker.run(os._exit, 1), worker.run(divmod, 7, 2), return_exceptions=True
    )
    assert isinstance(crash, ProxyError)
    assert after == (3, 1)
    assert worker.ready


async def test_a_process_that_died_idle_fails_no_call(worker: Worker) -> None:
    """Say, the kernel needed memory: the pool is broken, and refuses the next call."""
    process = await worker.run(os.getpid)
    os.kill(process, signal.SIGKILL)
    await asyncio.sleep(0.5)  # the pool notices by itself
    assert await worker.run(os.getpid) != process


async def test_a_full_line_refuses_at_once(worker: Worker) -> None:
    await worker.run(os.getpid)  # it has started
    running = asyncio.create_task(worker.run(time.sleep, 0.5))
    await asyncio.sleep(0.1)
    waiting = [asyncio.create_task(worker.run(os.getpid)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await worker.run(os.getpid)
    await asyncio.gather(running, *waiting)


async def test_a_call_whose_client_left_is_not_made(
    worker: Worker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    unwanted = tmp_path_factory.mktemp("worker") / "made"
    running = asyncio.create_task(worker.run(time.sleep, 0.3))
    left = asyncio.create_task(worker.run(os.mkdir, unwanted))
    await asyncio.sleep(0)
    left.cancel()
    await running
    await worker.run(os.getpid)
    assert not unwanted.exists()


async def test_nothing_outlives_the_context() -> None:
    worker = Worker(1)
    async with worker.running():
        await worker.run(os.getpid)
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()
    assert not worker.ready


PARENT = """
import asyncio, os
from frontend_proxy.worker import Worker

async def main():
    worker = Worker(1)
    async with worker.running():
        print(await worker.run(os.getpid), flush=True)
        await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_the_process_does_not_outlive_a_killed_parent(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A pool's process waits forever on a queue whose other end it holds itself."""
    script = tmp_path_factory.mktemp("worker") / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _lives(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    """A zombie that nobody has reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
