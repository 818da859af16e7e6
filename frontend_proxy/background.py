"""Background work that cannot stop unnoticed: failed loops start again, and errors of tasks are logged."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from prometheus_client import Counter

logger = logging.getLogger(__name__)

BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # before a failed loop starts again
STABLE_S = 60.0  # after this time without a failure, a loop counts as healthy

FAILURES = Counter(
    "lucy_background_failures_total", "Failures of background work, which is then started again", ["name"]
)


class BackgroundTask(asyncio.Task[Any]):
    """A task that begins even if it is cancelled before its first step. Python would then run nothing of it,
    not its `finally` either, which frees slots and locks and gives a capture to another proxy."""

    def cancel(self, msg: Any | None = None) -> bool:
        coroutine = self.get_coro()
        assert inspect.iscoroutine(coroutine)
        if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
            self.get_loop().call_soon(super().cancel, msg)  # after the first step, which already waits there
            return True
        return super().cancel(msg)


class Background:
    """The background work of one process. Use it from one event loop.

    A loop runs until its task is cancelled, or until `close`. When it raises, the error is logged and
    counted, and the loop starts again after a pause that grows with each failure. Health shows `failing`.

    Loops with the same name differ by their `detail`, which only the log shows: health is public, and must
    not name inner addresses.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failing: dict[tuple[str, str], str] = {}

    @property
    def failing(self) -> dict[str, str]:
        """Each loop that has failed and not been healthy for `STABLE_S` since, with its last error."""
        return {name: error for (name, _), error in self._failing.items()}

    def report(self, name: str, error: Exception | None) -> None:
        """A loop that handles an error itself reports it here, and None when it works again."""
        if error is None:
            self._failing.pop((name, ""), None)
        else:
            self._failing[name, ""] = f"{type(error).__name__}: {error}"

    def loop(self, name: str, work: Callable[[], Awaitable[None]], detail: str = "") -> asyncio.Task[None]:
        """Run `work`, which should never return; if it returns, that counts as a failure."""
        return self._keep(asyncio.create_task(self._run_repeatedly(name, detail, work), name=name))

    def task(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` once. An error is logged, and the task's result is then None."""
        return self._keep(BackgroundTask(self._run_once(name, work), name=name))

    async def close(self) -> None:
        """Cancel everything and wait until it has ended."""
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _keep(self, task: asyncio.Task[Any]) -> asyncio.Task[Any]:
        self._tasks.add(task)  # the event loop keeps only weak references to tasks
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run_once(self, name: str, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await work
        except Exception:
            FAILURES.labels(name).inc()
            logger.exception("background task %s failed", name)
            return None

    async def _run_repeatedly(self, name: str, detail: str, work: Callable[[], Awaitable[None]]) -> None:
        clock = asyncio.get_running_loop().time
        key = (name, detail)
        attempt = 0
        try:
            while True:
                started = clock()
                recovery = asyncio.create_task(self._recover_after(key, STABLE_S))
                try:
                    await work()
                    raise RuntimeError("the loop returned, but should run until it is cancelled")
                except Exception as error:
                    if clock() - started >= STABLE_S:
                        attempt = 0
                    pause = BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)]
                    attempt += 1
                    FAILURES.labels(name).inc()
                    self._failing[key] = f"{type(error).__name__}: {error}"
                    full_name = f"{name} {detail}".rstrip()
                    logger.exception("background loop %s failed; it starts again in %g s", full_name, pause)
                finally:
                    recovery.cancel()
                    with suppress(asyncio.CancelledError):
                        await recovery
                await asyncio.sleep(pause)
        finally:
            self._failing.pop(key, None)

    async def _recover_after(self, key: tuple[str, str], seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._failing.pop(key, None)
