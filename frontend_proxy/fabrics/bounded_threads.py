"""Threads of one purpose, so that a disk or bucket that hangs delays only those who need it."""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from frontend_proxy.errors import StorageUnavailable

P = ParamSpec("P")
R = TypeVar("R")


class BoundedThreads:
    """At most `threads` calls at once. More wait, and each call is given up after `timeout_s`.

    A call that hangs keeps its thread until it returns. The threads that everything else shares, those of
    asyncio and Starlette, stay free.
    """

    def __init__(self, name: str, threads: int, timeout_s: float) -> None:
        self._executor = ThreadPoolExecutor(threads, name)
        self._timeout_s = timeout_s

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`function(*args, **kwargs)`. Raises what it raises, and StorageUnavailable after the time-out."""
        call = functools.partial(contextvars.copy_context().run, function, *args, **kwargs)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._executor, call)
        except TimeoutError as error:
            raise StorageUnavailable(
                "the saved fabrics do not answer in time; try again in a moment"
            ) from error
