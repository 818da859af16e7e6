"""ASGI middleware that charges what a client sends to the `ByteBudget`, by the client's address."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frontend_proxy.errors import TooManyRequests
from frontend_proxy.web.byte_budget import ByteBudget, Hold

# In the scope: makes an empty hold, for whoever keeps more than the body: the protocol that assembles a
# WebSocket's messages, or a handler that fetches pictures.
HOLD = "byte_hold"


class RequestBytes:
    """A body counts until its request is answered.

    Goes inside the middleware that knows the client behind a reverse proxy, and inside `ErrorMiddleware`.
    `group` turns an address into the name that shares one budget.
    """

    def __init__(self, app: ASGIApp, budget: ByteBudget, group: Callable[[str], str]) -> None:
        self.app = app
        self._budget = budget
        self._group = group

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        address = self._group(scope["client"][0] if scope["client"] else "")
        scope[HOLD] = functools.partial(self._budget.hold, address)
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        hold = self._budget.hold(address)
        try:
            await self.app(scope, _counted(receive, hold), send)
        finally:
            hold.release()


@asynccontextmanager
async def evictable(hold: Hold) -> AsyncIterator[None]:
    """What is inside ends with TooManyRequests when the budget takes the bytes back for a smaller caller."""
    try:
        async with asyncio.timeout(None) as eviction:
            with hold.evictable(lambda: eviction.reschedule(0)):
                yield
    except TimeoutError:
        if not eviction.expired():
            raise
        raise TooManyRequests(
            "the server is full, and this address held more than any other; try again in a moment", 2
        ) from None


def _counted(receive: Receive, hold: Hold) -> Receive:
    """`receive`, which raises TooManyRequests or ServerFull where the body does not fit the budget."""
    complete = False

    async def counted() -> Message:
        nonlocal complete
        if complete:  # from now on it only waits for the client to leave
            return await receive()
        async with evictable(hold):
            message = await receive()
        hold.grow(len(message.get("body", b"")))
        complete = not message.get("more_body", False)
        return message

    return counted
