import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.keyframes.session import Session


@asynccontextmanager
async def running(
    answer: Callable[[Any], Awaitable[int]], deliver: Callable[[int], Awaitable[None]]
) -> AsyncIterator[Session[Any, int]]:
    session: Session[Any, int] = Session(answer, deliver)
    task = asyncio.create_task(session.run())
    yield session
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def passes() -> None:
    """Long enough for every task that can run to run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_newest_replaces_those_that_wait() -> None:
    go = asyncio.Event()
    delivered: list[int] = []

    async def answer(question: int) -> int:
        await go.wait()
        return question

    async def deliver(question: int) -> None:
        delivered.append(question)

    async with running(answer, deliver) as session:
        session.submit(1)
        await passes()
        for question in (2, 3, 4):
            session.submit(question)
        go.set()
        await passes()
    assert delivered == [1, 4]


async def test_a_client_that_pauses_holds_none_of_its_pictures() -> None:
    class Picture:
        pass

    async def answer(question: Picture) -> int:
        return 1

    async def deliver(answer: int) -> None:
        pass

    async with running(answer, deliver) as session:
        picture = Picture()
        held = weakref.ref(picture)
        session.submit(picture)
        del picture
        await passes()
        assert held() is None


@given(st.lists(st.integers(0, 3), max_size=30))
def test_answers_never_go_back_and_the_last_question_is_always_answered(pauses: list[int]) -> None:
    """Whatever the rhythm of questions and however long answers take."""
    delivered: list[int] = []
    in_the_making = 0

    async def answer(question: int) -> int:
        nonlocal in_the_making
        in_the_making += 1
        assert in_the_making == 1
        for _ in range(question % 4):
            await asyncio.sleep(0)
        in_the_making -= 1
        return question

    async def deliver(question: int) -> None:
        delivered.append(question)

    async def scenario() -> None:
        async with running(answer, deliver) as session:
            for question, pause in enumerate(pauses):
                session.submit(question)
                for _ in range(pause):
                    await asyncio.sleep(0)
            await passes()

    asyncio.run(scenario())
    assert delivered == sorted(set(delivered))
    assert delivered[-1:] == [len(pauses) - 1][: len(pauses)]


async def test_nothing_is_computed_for_a_client_that_does_not_read() -> None:
    reads = asyncio.Event()
    asked: list[int] = []

    async def answer(question: int) -> int:
        asked.append(question)
        return question

    async def deliver(question: int) -> None:
        await reads.wait()

    async with running(answer, deliver) as session:
        for question in range(50):
            session.submit(question)
            await passes()
        assert asked == [0]
        reads.set()
        await passes()
        assert asked == [0, 49]


async def test_cancelling_the_session_cancels_the_answer_in_the_making() -> None:
    cancelled = False

    async def answer(question: int) -> int:
        nonlocal cancelled
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled = True
            raise
        return question

    async def deliver(question: int) -> None: ...

    async with running(answer, deliver) as session:
        session.submit(1)
        await passes()
    assert cancelled
