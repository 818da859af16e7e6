import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.keyframes.latest_only import LatestOnly


@asynccontextmanager
async def running(
    answer: Callable[[Any], Awaitable[int]], deliver: Callable[[int], Awaitable[None]]
) -> AsyncIterator[LatestOnly[Any, int]]:
    latest: LatestOnly[Any, int] = LatestOnly(answer, deliver)
    task = asyncio.create_task(latest.run())
    yield latest
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def passes() -> None:
    """Long enough for every task that can run to run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_newer_request_replaces_the_one_that_waits() -> None:
    go = asyncio.Event()
    delivered: list[int] = []

    async def answer(request: int) -> int:
        await go.wait()
        return request

    async def deliver(request: int) -> None:
        delivered.append(request)

    async with running(answer, deliver) as latest:
        latest.submit(1)
        await passes()
        for request in (2, 3, 4):
            latest.submit(request)
        go.set()
        await passes()
    assert delivered == [1, 4]


async def test_an_answered_request_is_not_kept_in_memory() -> None:
    class Picture:
        pass

    async def answer(request: Picture) -> int:
        return 1

    async def deliver(answer: int) -> None:
        pass

    async with running(answer, deliver) as latest:
        picture = Picture()
        held = weakref.ref(picture)
        latest.submit(picture)
        del picture
        await passes()
        assert held() is None


@given(st.lists(st.integers(0, 3), max_size=30))
def test_answers_are_in_order_and_the_last_request_is_always_answered(pauses: list[int]) -> None:
    """For any timing of requests and answers."""
    delivered: list[int] = []
    in_progress = 0

    async def answer(request: int) -> int:
        nonlocal in_progress
        in_progress += 1
        assert in_progress == 1
        for _ in range(request % 4):
            await asyncio.sleep(0)
        in_progress -= 1
        return request

    async def deliver(request: int) -> None:
        delivered.append(request)

    async def scenario() -> None:
        async with running(answer, deliver) as latest:
            for request, pause in enumerate(pauses):
                latest.submit(request)
                for _ in range(pause):
                    await asyncio.sleep(0)
            await passes()

    asyncio.run(scenario())
    assert delivered == sorted(set(delivered))
    assert delivered[-1:] == [len(pauses) - 1][: len(pauses)]


async def test_nothing_is_computed_for_a_client_that_does_not_read() -> None:
    reads = asyncio.Event()
    asked: list[int] = []

    async def answer(request: int) -> int:
        asked.append(request)
        return request

    async def deliver(request: int) -> None:
        await reads.wait()

    async with running(answer, deliver) as latest:
        for request in range(50):
            latest.submit(request)
            await passes()
        assert asked == [0]
        reads.set()
        await passes()
        assert asked == [0, 49]


async def test_cancelling_it_cancels_the_answer_in_progress() -> None:
    cancelled = False

    async def answer(request: int) -> int:
        nonlocal cancelled
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled = True
            raise
        return request

    async def deliver(request: int) -> None: ...

    async with running(answer, deliver) as latest:
        latest.submit(1)
        await passes()
    assert cancelled
