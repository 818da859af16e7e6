import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable

import cv2
import numpy as np
import pytest

from frontend_proxy import background as background_module
from frontend_proxy.background import FAILURES, Background
from frontend_proxy.errors import DeadlineExceeded, ImageTooLarge, Overloaded, ProxyError
from frontend_proxy.worker import Worker, WorkerUnavailable
from frontend_proxy.worker_process import NICENESS
from tests.frontend_proxy.conftest import until

MIB = 2**20


def new_worker(max_waiting: int = 2, **options: object) -> Worker:
    return Worker("test worker", Background(), max_waiting, **options)  # type: ignore[arg-type]


def failures() -> float:
    return FAILURES.labels("test worker")._value.get()


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = new_worker()
    async with worker.running():
        yield worker


async def test_calls_run_niced_in_another_process(worker: Worker) -> None:
    assert await worker.run(os.getpid) != os.getpid()
    assert await worker.run(os.nice, 0) == min(os.nice(0) + NICENESS, 19)
    assert worker.ready


def seconds_of_a_product() -> tuple[float, float]:
    """Of the clock, and of the processor."""
    matrix = np.ones((1500, 1500))
    began, used = time.perf_counter(), time.process_time()
    np.dot(matrix, matrix)
    return time.perf_counter() - began, time.process_time() - used


@pytest.mark.nightly
async def test_a_product_of_matrices_takes_one_core(worker: Worker) -> None:
    """BLAS's other threads spin on after each one."""
    elapsed, used = await worker.run(seconds_of_a_product)
    assert used < 1.3 * elapsed


async def test_opencv_has_one_thread(worker: Worker) -> None:
    """More cost a scan 8 % of its processor time, and take cores from the models."""
    assert await worker.run(cv2.getNumThreads) == 1


async def test_exceptions_of_a_call_reach_its_caller(worker: Worker) -> None:
    with pytest.raises(ZeroDivisionError):
        await worker.run(divmod, 1, 0)
    assert await worker.run(divmod, 7, 2) == (3, 1)


async def test_freed_memory_is_kept_for_the_next_call(worker: Worker) -> None:
    """glibc gives back what it deems too much, and the next scan faulted each of its pages in again."""
    pictures = "len([b'x' * (16 << 20) for _ in range(4)])"
    faults = "__import__('resource').getrusage(0).ru_minflt"
    await worker.run(eval, pictures)
    before = await worker.run(eval, faults)
    await worker.run(eval, pictures)
    assert await worker.run(eval, faults) - before < 1000  # of the 16384 pages that they fill


async def test_a_crash_fails_only_the_call_that_crashed(worker: Worker) -> None:
    """A dead process breaks a ProcessPoolExecutor with all that it holds, and for good."""
    before = failures()
    crash, after = await asyncio.gather(
        worker.run(os._exit, 1), worker.run(divmod, 7, 2), return_exceptions=True
    )
    assert isinstance(crash, ProxyError)
    assert after == (3, 1)
    assert worker.ready
    assert failures() == before + 1


async def test_a_process_that_died_idle_fails_no_call(worker: Worker) -> None:
    """Say, the kernel needed memory: the pool is broken, and refuses the next call."""
    process = await worker.run(os.getpid)
    os.kill(process, signal.SIGKILL)
    await until(lambda: worker._executor is not None and bool(worker._executor._broken))
    assert await worker.run(os.getpid) != process


async def test_a_full_queue_refuses_at_once(worker: Worker) -> None:
    await worker.run(os.getpid)  # it has started
    running = asyncio.create_task(worker.run(time.sleep, 0.5))
    await asyncio.sleep(0.1)
    waiting = [asyncio.create_task(worker.run(os.getpid)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await worker.run(os.getpid)
    await asyncio.gather(running, *waiting)


async def test_a_call_of_a_client_that_left_is_skipped(
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
    worker = new_worker()
    async with worker.running():
        await worker.run(os.getpid)
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()
    assert not worker.ready


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (bytearray, (600 * MIB,)),
        (np.ones, (600 * MIB, np.uint8)),
        (cv2.resize, (np.ones((9, 9), np.uint8), (26_000, 26_000))),
    ],
    ids=["Python", "NumPy", "OpenCV"],
)
async def test_a_call_that_takes_too_much_memory_fails_alone_and_the_process_starts_again(
    function: Callable[..., object], arguments: tuple[object, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """One photo took all memory of the machine."""
    worker = new_worker(max_memory_bytes=512 * MIB)
    async with worker.running():
        process = await worker.run(os.getpid)
        assert await worker.run(eval, "len(bytes(400 << 20))") == 400 * MIB
        before = failures()
        with pytest.raises(ImageTooLarge, match="send a smaller one"):
            await worker.run(function, *arguments)
        assert await worker.run(os.getpid) != process
    assert failures() == before + 1
    assert "had too little memory" in caplog.text


async def test_a_call_that_does_not_end_fails_alone_and_the_process_starts_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A film of millions of tiny pictures kept the process, and all other films waiting, for hours."""
    worker = new_worker(timeout_s=0.5)
    async with worker.running():
        process = await worker.run(os.getpid)
        before = failures()
        endless, after = await asyncio.gather(
            worker.run(time.sleep, 60), worker.run(os.getpid), return_exceptions=True
        )
        assert isinstance(endless, DeadlineExceeded)
        assert "more than 0.5 s" in str(endless)
        assert after != process
        assert not _lives(process)
    assert failures() == before + 1
    assert "spent more than 0.5 s" in caplog.text


async def test_a_timeout_of_the_call_s_own_is_not_the_deadline(worker: Worker) -> None:
    process = await worker.run(os.getpid)
    with pytest.raises(TimeoutError):
        await worker.run(exec, "raise TimeoutError")
    assert await worker.run(os.getpid) == process


async def test_the_end_does_not_wait_for_the_running_call() -> None:
    worker = new_worker()
    async with worker.running(), asyncio.timeout(10):
        process = await worker.run(os.getpid)
        running = asyncio.create_task(worker.run(time.sleep, 60))
        await until(lambda: worker._busy)
    with pytest.raises(WorkerUnavailable):
        await running
    assert not _lives(process)


async def test_a_worker_that_does_not_start_refuses_and_is_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Calls waited for ever, and health said nothing."""
    monkeypatch.setattr(background_module, "BACKOFF_S", (0.2,))
    folder = tmp_path_factory.mktemp("modules")
    monkeypatch.syspath_prepend(folder)
    background = Background()
    worker = Worker("test worker", background, 2, ("missing_at_first",))
    before = failures()
    async with worker.running():
        with pytest.raises(WorkerUnavailable):
            await worker.run(os.getpid)  # waited for the start
        await until(lambda: "test worker" in background.failing)
        assert not worker.ready
        with pytest.raises(WorkerUnavailable):
            async with asyncio.timeout(0.1):
                await worker.run(os.getpid)
        (folder / "missing_at_first.py").touch()
        await until(lambda: worker.ready, within_s=30)
        assert await worker.run(divmod, 7, 2) == (3, 1)
    assert failures() > before
    assert not background.failing


async def test_a_process_that_is_seldom_needed_starts_with_its_first_call() -> None:
    before = set(multiprocessing.active_children())
    worker = new_worker(at_once=False)
    async with worker.running():
        await asyncio.sleep(0.2)
        assert set(multiprocessing.active_children()) == before
        assert await worker.run(divmod, 7, 2) == (3, 1)
        first = await worker.run(os.getpid)
        assert await worker.run(os.getpid) == first


async def test_a_late_start_that_fails_is_tried_again_with_the_next_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(background_module, "BACKOFF_S", (0.05,))
    folder = tmp_path_factory.mktemp("modules")
    monkeypatch.syspath_prepend(folder)
    worker = new_worker(modules=("missing_until_later",), at_once=False)
    async with worker.running():
        with pytest.raises(WorkerUnavailable):
            await worker.run(os.getpid)
        (folder / "missing_until_later.py").touch()
        await until(lambda: not worker._broken)
        assert await worker.run(divmod, 7, 2) == (3, 1)


PARENT = """
import asyncio, os
from frontend_proxy.background import Background
from frontend_proxy.worker import Worker

async def main():
    worker = Worker("worker", Background(), 1)
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
