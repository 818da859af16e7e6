"""Background work that cannot stop unnoticed: loops start again, and errors of tasks are logged."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from prometheus_client import Counter

logger = logging.getLogger(__name__)

BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # before a loop that failed is started again
STABLE_S = 60.0  # a loop that has run for so long is healthy, and its next failure the first again

FAILURES = Counter(
    "lucy_background_failures_total", "Failures of background work, which is then started again", ["name"]
)


class Background:
    """The background work of one process. Use it from one event loop.

    Loops run until `cancel` of their task or `close`; whatever they raise is logged and counted, and they
    are started again, later each time. `failing` tells health of those that are not well.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failing: dict[str, str] = {}

    @property
    def failing(self) -> dict[str, str]:
        """Each loop that failed and has not been well for `STABLE_S` since, and its last error."""
        return dict(self._failing)

    def report(self, name: str, error: Exception | None) -> None:
        """A loop that handles an error itself reports it here, and None when it works again."""
        if error is None:
            self._failing.pop(name, None)
        else:
            self._failing[name] = f"{type(error).__name__}: {error}"

    def loop(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Run `work` again and again: it is meant to go on for ever, and returning counts as a failure."""
        return self._keep(asyncio.create_task(self._run_again_and_again(name, work), name=name))

    def task(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` once, beside everything else; an error that nobody awaits is logged."""
        return self._keep(asyncio.create_task(self._run_once(name, work), name=name))

    async def close(self) -> None:
        """Cancel everything and wait for its end."""
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _keep(self, task: asyncio.Task[Any]) -> asyncio.Task[Any]:
        self._tasks.add(task)  # the event loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run_once(self, name: str, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await work
        except Exception:
            FAILURES.labels(name).inc()
            logger.exception("background task %s failed", name)
            return None

    async def _run_again_and_again(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        clock = asyncio.get_running_loop().time
        attempt = 0
        try:
            while True:
                began = clock()
                well_again = asyncio.create_task(self._well_after(name, STABLE_S))
                try:
                    await work()
                    raise RuntimeError("it returned, and should go on for ever")
                except Exception as error:
                    if clock() - began >= STABLE_S:
                        attempt = 0
                    pause = BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)]
                    attempt += 1
                    FAILURES.labels(name).inc()
                    self._failing[name] = f"{type(error).__name__}: {error}"
                    logger.exception("background loop %s failed; it is started again in %g s", name, pause)
                finally:
                    well_again.cancel()
                    with suppress(asyncio.CancelledError):
                        await well_again
                await asyncio.sleep(pause)
        finally:
            self._failing.pop(name, None)

    async def _well_after(self, name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._failing.pop(name, None)
