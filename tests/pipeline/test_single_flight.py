"""One computation for all who ask for the same at once."""

import asyncio

import pytest

from pipeline.single_flight import SingleFlight


class Slow:
    def __init__(self) -> None:
        self.calls, self.may_end = 0, asyncio.Event()

    async def __call__(self) -> int:
        self.calls += 1
        await self.may_end.wait()
        return self.calls


async def test_who_comes_meanwhile_waits_for_the_same() -> None:
    flight, slow = SingleFlight[str, int](), Slow()
    both = [asyncio.create_task(flight.get("a", slow)) for _ in range(2)]
    await asyncio.sleep(0)
    slow.may_end.set()
    assert await asyncio.gather(*both) == [1, 1]
    assert await flight.get("a", slow) == 2, "nothing is kept"


async def test_who_leaves_does_not_take_it_away() -> None:
    flight, slow = SingleFlight[str, int](), Slow()
    leaves, stays = (asyncio.create_task(flight.get("a", slow)) for _ in range(2))
    await asyncio.sleep(0)
    leaves.cancel()
    await asyncio.sleep(0)
    slow.may_end.set()
    assert await stays == 1


async def test_a_failure_is_told_to_all_and_not_kept() -> None:
    flight, slow = SingleFlight[str, int](), Slow()

    async def fails() -> int:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await flight.get("a", fails)
    slow.may_end.set()
    assert await flight.get("a", slow) == 1
