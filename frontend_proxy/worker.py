"""A process with low priority and bounded memory beside the event loop, for the proxy's own CPU work."""

import asyncio
import functools
import logging
import multiprocessing
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

import cv2

from frontend_proxy.background import FAILURES, Background
from frontend_proxy.errors import DeadlineExceeded, ImageTooLarge, ProxyError
from frontend_proxy.fair_queue import FairQueue
from frontend_proxy.holder import current_holder
from frontend_proxy.places import Places
from frontend_proxy.worker_process import begin, prepare

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_MEMORY_BYTES = 1536 * 2**20
DEFAULT_TIMEOUT_S = 300.0


class WorkerUnavailable(ProxyError):
    """The process cannot be started; `Background` tries again."""

    code, status, retry_after = "OVERLOADED", 503, 5


class Worker:
    """Runs one call at a time in its process; at most `max_waiting` more wait, and go round their callers.

    The queue is here and not in the executor: when the process dies, only the call that it was running
    fails, and the next one gets a new process. A call that needs more than `max_memory_bytes`, or runs for
    longer than `timeout_s`, fails in the same way. `modules` are imported at the start; `name` is what logs,
    metrics and health show.
    share: of the waiting places, for one caller (`Places`).
    at_once: whether the process starts with the context; otherwise the first call waits a second for it,
        and 50 MB are saved until then.
    """

    def __init__(
        self,
        name: str,
        background: Background,
        max_waiting: int,
        modules: tuple[str, ...] = (),
        max_memory_bytes: int = DEFAULT_MEMORY_BYTES,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        at_once: bool = True,
        share: float = 1.0,
    ) -> None:
        self._name = name
        self._background = background
        self._places = Places(max_waiting, "photos that wait", share)
        self._waiting: FairQueue[_Call] = FairQueue(most_per_caller=max_waiting)
        self._arrived = asyncio.Event()
        self._modules = modules
        self._max_memory_bytes = max_memory_bytes
        self._timeout_s = timeout_s
        self._at_once = at_once
        self._executor: ProcessPoolExecutor | None = None
        self._process_id: int | None = None
        self._busy = False
        self._broken = False  # the last start failed
        self.ready = False

    @property
    def idle(self) -> bool:
        """A call would start at once."""
        return self.ready and not self._busy and not len(self._waiting)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The process lives inside this context; leaving it ends the running call."""
        serving = self._background.loop(self._name, self._serve)
        try:
            yield
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`function(*args, **kwargs)` in the process, all of which must pickle; raises what it raises.

        Raises Overloaded when no place is free for the caller, ImageTooLarge when the call needs too much
        memory, DeadlineExceeded when it runs too long, WorkerUnavailable when the process does not start,
        ProxyError when it died of this call.
        """
        if self._broken:
            raise _unavailable()
        holder = current_holder()
        self._places.take(holder)
        call = _Call(functools.partial(function, *args, **kwargs), holder)
        self._waiting.push(holder or "", call)
        self._arrived.set()
        return await call.answer

    def _pop(self) -> "_Call | None":
        """The next call, which waits no longer."""
        if call := self._waiting.pop():
            self._places.give_back(call.holder)
        return call

    async def _next(self) -> "_Call":
        while (call := self._pop()) is None:
            self._arrived.clear()
            await self._arrived.wait()
        return call

    async def _serve(self) -> None:
        """Raises what a failed start raises."""
        try:
            if self._at_once:
                await self._start()
            self._broken = False
            while True:
                call = await self._next()
                if not self.ready:
                    await self._start_for(call)
                if not call.answer.cancelled():  # its client left while it waited
                    await self._answer(call)
        except Exception:
            self._broken = True
            raise
        finally:
            while waiting := self._pop():
                waiting.fail(_unavailable())
            await self._stop()

    async def _start_for(self, call: "_Call") -> None:
        """Raises what a failed start raises."""
        try:
            await self._start()
        except BaseException:
            call.fail(_unavailable())
            raise

    async def _answer(self, call: "_Call") -> None:
        """Raises what a failed restart raises."""
        self._busy = True
        try:
            await self._finish(call, await self._submit(call))
        finally:
            call.fail(_unavailable())  # where nothing else has ended it
            self._busy = False

    async def _finish(self, call: "_Call", running: Future[Any]) -> None:
        try:
            call.succeed(await self._in_time(running))
        except BrokenProcessPool as error:
            self._log_death(f"died of {call.work.func}", error)
            call.fail(ProxyError("The server cannot process this image; try another one"))
            await self._restart()
        except _Late as error:
            self._log_death(f"spent more than {self._timeout_s:g} s on {call.work.func}", error)
            limit = f"{self._timeout_s:g} s, the most that is allowed"
            call.fail(DeadlineExceeded(f"this takes more than {limit}; send smaller pictures"))
            await self._restart()
        except Exception as error:
            if not _is_out_of_memory(error):
                call.fail(error)
                return
            self._log_death(f"had too little memory for {call.work.func}", error)
            call.fail(ImageTooLarge("this image takes more memory than is allowed; send a smaller one"))
            await self._restart()  # what the call left behind could make the next ones fail

    async def _in_time(self, running: Future[Any]) -> Any:
        """Raises _Late: a TimeoutError could be the call's own."""
        answer = asyncio.wrap_future(running)
        try:
            await asyncio.wait({answer}, timeout=self._timeout_s)
            if not answer.done():
                raise _Late
            return answer.result()
        finally:
            answer.cancel()

    async def _submit(self, call: "_Call") -> Future[Any]:
        assert self._executor is not None
        try:
            return self._executor.submit(call.work)
        except BrokenProcessPool as error:  # it died while it had nothing to do: not this call's fault
            self._log_death("died while idle", error)
            await self._restart()
            return self._executor.submit(call.work)

    def _log_death(self, what: str, error: Exception) -> None:
        FAILURES.labels(self._name).inc()
        logger.error("the %s %s; it is started again", self._name, what, exc_info=error)

    async def _restart(self) -> None:
        await self._stop()
        await self._start()

    async def _start(self) -> None:
        # spawn: a fork would inherit gRPC's threads and locks
        self._executor = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), begin)
        loop = asyncio.get_running_loop()
        self._process_id = await loop.run_in_executor(
            self._executor, prepare, self._modules, self._max_memory_bytes
        )
        self.ready = True

    async def _stop(self) -> None:
        self.ready = False
        for process in multiprocessing.active_children():  # `shutdown` would wait for the running call
            if process.pid == self._process_id:
                process.kill()
        if self._executor is not None:
            await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)


class _Late(Exception):
    """The running call has used up its time."""


class _Call:
    """Work for the process, and its caller's future, which only the first of `succeed` and `fail` sets."""

    def __init__(self, work: functools.partial[Any], holder: str | None) -> None:
        self.work, self.holder = work, holder
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def succeed(self, result: Any) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def _unavailable() -> WorkerUnavailable:
    return WorkerUnavailable("the server cannot process images at the moment; try again in a few seconds")


def _is_out_of_memory(error: Exception) -> bool:
    """OpenCV's own error keeps only its text on the way between processes."""
    opencv = isinstance(error, cv2.error) and f"({cv2.Error.StsNoMem}:" in str(error)
    return opencv or isinstance(error, MemoryError)
