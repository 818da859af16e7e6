"""A niced process beside the event loop, for the proxy's own CPU work."""

import asyncio
import ctypes
import functools
import importlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

from frontend_proxy.errors import Overloaded, ProxyError

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

NICENESS = 10
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


class Worker:
    """Runs one call at a time in its process; at most `max_waiting` more wait in line.

    The line is kept here and not in the executor, so that when the process dies exactly the call that
    it was busy with fails, and the next one gets a fresh process. `modules` are imported at its start.
    """

    def __init__(self, max_waiting: int, modules: tuple[str, ...] = ()) -> None:
        self._line: asyncio.Queue[tuple[functools.partial[Any], asyncio.Future[Any]]] = asyncio.Queue(
            max_waiting
        )
        self._modules = modules
        self._busy = False
        self.ready = False

    @property
    def idle(self) -> bool:
        """A call would begin at once."""
        return self.ready and not self._busy and self._line.empty()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The process lives inside this context; leaving it waits for the call that runs."""
        serving = asyncio.create_task(self._serve())
        try:
            yield
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`function(*args, **kwargs)` in the process, all of which must pickle; raises what it raises.

        Raises Overloaded when the line is full, ProxyError when the process died of this call.
        """
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        try:
            self._line.put_nowait((functools.partial(function, *args, **kwargs), answer))
        except asyncio.QueueFull:
            raise Overloaded(f"{self._line.maxsize} photos wait already; try again in a moment") from None
        return await answer

    async def _serve(self) -> None:
        try:
            await self._start()
            while True:
                call, answer = await self._line.get()
                if answer.cancelled():  # its client left while it waited
                    continue
                self._busy = True
                try:
                    result = await asyncio.wrap_future(await self._submit(call))
                except BrokenProcessPool as error:
                    logger.error("the worker process died of %s", call.func, exc_info=error)
                    _settle(answer, error=ProxyError("The server cannot process this image; try another one"))
                    await self._restart()
                except Exception as error:
                    _settle(answer, error=error)
                else:
                    _settle(answer, result)
                self._busy = False
        finally:
            await self._stop()

    async def _submit(self, call: functools.partial[Any]) -> Future[Any]:
        try:
            return self._executor.submit(call)
        except BrokenProcessPool:  # it died while it had nothing to do: not this call's fault
            await self._restart()
            return self._executor.submit(call)

    async def _restart(self) -> None:
        await self._stop()
        await self._start()

    async def _start(self) -> None:
        # spawn: a fork would inherit gRPC's threads and locks
        self._executor = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, _import, self._modules)
            self.ready = True
        except Exception:  # the calls will say so, each to its own client
            logger.exception("the worker process does not start")

    async def _stop(self) -> None:
        self.ready = False
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)


def _settle(answer: asyncio.Future[Any], result: Any = None, error: Exception | None = None) -> None:
    if answer.cancelled():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


def _import(modules: tuple[str, ...]) -> None:
    for module in modules:
        importlib.import_module(module)


def _begin() -> None:
    """First thing in the process: give way to the event loop, and never outlive the parent."""
    os.nice(NICENESS)
    keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends this
    threading.Thread(target=_end_with_parent, daemon=True).start()


def keep_memory() -> None:
    """What one call frees stays in this process for the next.

    A scan's pictures are megabytes each; taking them from the system anew costs a page fault for every
    4 KB. 32 MB is the most that glibc keeps in one piece; larger ones are given back, as before.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; other C libraries go on as they do
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, 1 << 25)
        mallopt(_M_TRIM_THRESHOLD, 1 << 27)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
