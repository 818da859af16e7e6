"""Conflation: answer one request at a time, keep only the newest of those that wait, drop the others."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class LatestOnly(Generic[Request, Answer]):
    """The keyframes of one connection. Answers leave in the order of their requests.

    `deliver` returns when the client has room for more. Until then the next answer is not computed, and
    newer requests replace the one that waits: a client that does not read uses neither memory nor compute.
    """

    def __init__(
        self, answer: Callable[[Request], Awaitable[Answer]], deliver: Callable[[Answer], Awaitable[None]]
    ) -> None:
        self._answer = answer
        self._deliver = deliver
        self._newest: asyncio.Queue[Request] = asyncio.Queue(maxsize=1)
        self._idle = asyncio.Event()
        self._idle.set()

    def submit(self, request: Request) -> bool:
        """Replace the request that waits, if any. Returns whether there was one."""
        replaced = self._newest.full()
        if replaced:
            self._newest.get_nowait()
        self._newest.put_nowait(request)
        return replaced

    async def run(self) -> None:
        """Runs until it is cancelled, which also cancels the answer in progress."""
        while True:
            # Not bound to a name: it would keep the request's pictures in memory until the next one arrives.
            await self._process(await self._newest.get())

    async def _process(self, request: Request) -> None:
        self._idle.clear()
        await self._deliver(await self._answer(request))
        self._idle.set()

    async def idle(self) -> None:
        """Waits until no answer is in progress."""
        await self._idle.wait()
