"""One computation for all who ask for the same at once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SingleFlight(Generic[Key, Value]):
    """Keeps nothing but what is being computed. Use it from one event loop."""

    def __init__(self) -> None:
        self._running: dict[Key, asyncio.Task[Value]] = {}

    async def get(self, key: Key, compute: Callable[[], Awaitable[Value]]) -> Value:
        """What `compute` returns; who asks for the key meanwhile waits for it, too. Raises what it raises."""
        if key not in self._running:
            self._running[key] = asyncio.ensure_future(self._run(key, compute))
        # A request that is cancelled must not take the value away from others.
        return await asyncio.shield(self._running[key])

    async def _run(self, key: Key, compute: Callable[[], Awaitable[Value]]) -> Value:
        try:
            return await compute()
        finally:
            del self._running[key]
