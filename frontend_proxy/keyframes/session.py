"""One connection's line of keyframes: one is being answered, the newest waits, the others are gone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Session(Generic[Question, Answer]):
    """Answers the newest question, one at a time, so answers leave in the order of their questions.

    `deliver` returns when the client has room for more. Until then nothing is computed for it, and its
    questions replace each other: a client that does not read costs neither memory nor the model's time.
    """

    def __init__(
        self, answer: Callable[[Question], Awaitable[Answer]], deliver: Callable[[Answer], Awaitable[None]]
    ) -> None:
        self._answer = answer
        self._deliver = deliver
        self._newest: asyncio.Queue[Question] = asyncio.Queue(maxsize=1)
        self._idle = asyncio.Event()
        self._idle.set()

    def submit(self, question: Question) -> bool:
        """It takes the place of the one that waits; whether there was one."""
        replaced = self._newest.full()
        if replaced:
            self._newest.get_nowait()
        self._newest.put_nowait(question)
        return replaced

    async def run(self) -> None:
        """Runs until cancelled, which cancels the answer in the making."""
        while True:
            # By no name here: it would hold the question, a keyframe's pictures, until the next one comes.
            await self._see_to(await self._newest.get())

    async def _see_to(self, question: Question) -> None:
        self._idle.clear()
        await self._deliver(await self._answer(question))
        self._idle.set()

    async def idle(self) -> None:
        """Waits until no answer is in the making."""
        await self._idle.wait()
