import asyncio
import logging

import pytest

from frontend_proxy import background
from frontend_proxy.background import FAILURES, Background
from tests.frontend_proxy.conftest import until


@pytest.fixture
async def work():
    background_work = Background()
    yield background_work
    await background_work.close()


def failures(name):
    return FAILURES.labels(name)._value.get()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(background, "BACKOFF_S", (0.01, 0.02))


@pytest.mark.parametrize("error", [RuntimeError("no disk"), KeyError("x"), TimeoutError(), None])
async def test_a_loop_that_fails_is_logged_counted_and_started_again(work, caplog, error):
    """A queue's entry that could not be read ended the loop, and nobody saw it. None: it returned."""
    runs, before = [], failures("sweep")

    async def sweep():
        runs.append(None)
        if len(runs) < 3:
            if error is not None:
                raise error
            return
        await asyncio.Event().wait()

    with caplog.at_level(logging.ERROR):
        work.loop("sweep", sweep)
        await until(lambda: len(runs) == 3)
    assert failures("sweep") - before == 2
    assert "background loop sweep failed" in caplog.text


async def test_a_loop_counts_as_failing_until_it_has_run_for_a_while(work, monkeypatch):
    monkeypatch.setattr(background, "STABLE_S", 0.1)
    runs = []

    async def take():
        runs.append(None)
        if len(runs) == 1:
            raise OSError("Redis is away")
        await asyncio.Event().wait()

    work.loop("take", take)
    await until(lambda: work.failing)
    assert work.failing == {"take": "OSError: Redis is away"}
    await until(lambda: not work.failing)
    assert len(runs) == 2


async def test_health_is_not_told_the_detail_of_a_loop_which_may_be_an_address(work, caplog):
    async def watch():
        raise RuntimeError("broken")

    tasks = [
        work.loop("watch model server", watch, address) for address in ("10.0.0.1:8001", "10.0.0.2:8001")
    ]
    await until(lambda: len(work._failing) == 2)
    assert list(work.failing) == ["watch model server"]
    assert "watch model server 10.0.0.1:8001 failed" in caplog.text
    tasks[0].cancel()
    await asyncio.wait(tasks[:1])
    assert list(work.failing) == ["watch model server"], "the other one still fails"


async def test_pauses_grow_while_a_loop_goes_on_failing(work):
    began, clock = [], asyncio.get_running_loop().time

    async def broken():
        began.append(clock())
        raise RuntimeError("again")

    work.loop("broken", broken)
    await until(lambda: len(began) == 4)
    assert began[1] - began[0] >= 0.01
    assert began[3] - began[2] >= 0.02


async def test_an_error_of_a_task_is_logged(work, caplog):
    async def deliver():
        raise ConnectionError("the receiver is away")

    assert await work.task("webhook", deliver()) is None
    assert "background task webhook failed" in caplog.text
    assert await work.task("sum", asyncio.sleep(0, 7)) == 7


async def test_a_cancelled_loop_ends_and_is_no_failure(work):
    entered = asyncio.Event()

    async def watch():
        entered.set()
        await asyncio.Event().wait()

    before = failures("watch")
    task = work.loop("watch", watch)
    await entered.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert failures("watch") == before
    assert work.failing == {}


async def test_closing_ends_everything():
    work = Background()
    tasks = [work.loop("a", asyncio.Event().wait), work.task("b", asyncio.sleep(60))]
    await asyncio.sleep(0)
    await work.close()
    assert all(task.done() for task in tasks)


@pytest.mark.parametrize("ended_by", ["its task", "close"])
async def test_a_task_that_is_cancelled_at_once_still_cleans_up(work, ended_by):
    """A capture that a proxy took in the moment of its end was not given to another one: nothing ran."""
    released = []

    async def supervise():
        try:
            await asyncio.Event().wait()
        finally:
            released.append(None)

    task = work.task("capture", supervise())
    if ended_by == "close":
        await work.close()
    else:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert released == [None]
    assert task.cancelled()
