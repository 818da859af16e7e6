import asyncio
from contextlib import suppress

from frontend_proxy.captures.service import end_tasks


async def test_tasks_that_lose_a_cancel_and_those_that_they_start_end_too() -> None:
    """As redis-py loses it while it connects: the loop of the queue took one more capture, which ran on."""
    tasks: set[asyncio.Task[None]] = set()

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        tasks.add(asyncio.create_task(asyncio.sleep(60)))
        await asyncio.sleep(60)

    tasks.add(asyncio.create_task(stubborn()))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end_tasks(lambda: tasks)
    assert len(tasks) == 2
    assert all(task.cancelled() for task in tasks)
