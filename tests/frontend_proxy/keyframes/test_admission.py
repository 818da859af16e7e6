import asyncio
from contextlib import AsyncExitStack

import pytest

from frontend_proxy.errors import Overloaded
from frontend_proxy.keyframes.admission import INTERVAL_S, WAIT_SHARE, Admission
from frontend_proxy.keyframes.degradation import HOLD_S


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("frontend_proxy.keyframes.admission.time", clock)
    return clock


class Keyframe:
    """A keyframe that is at the model until `finish`."""

    def __init__(self, admission: Admission, caller: str) -> None:
        self._finished = asyncio.Event()
        self.admitted = False
        self.task = asyncio.create_task(self._run(admission, caller))

    async def _run(self, admission: Admission, caller: str) -> None:
        async with admission.admitted(caller):
            self.admitted = True
            await self._finished.wait()

    async def finish(self) -> None:
        self._finished.set()
        await self.task


async def tasks_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_fuller_the_fewer_steps_and_above_the_limit_nothing(clock: Clock) -> None:
    admission = Admission(8, timeout_s=0.1)
    async with AsyncExitStack() as inside:
        levels = [await inside.enter_async_context(admission.admitted("a")) for _ in range(8)]
        assert levels == [0, 0, 0, 0, 1, 1, 2, 2]
        with pytest.raises(Overloaded):
            async with admission.admitted("a"):
                pass
    clock.now += 2 * HOLD_S
    async with admission.admitted("a") as level:
        assert level == 0


async def test_keyframes_that_waited_in_vain_leave_the_queue() -> None:
    """Else they count as waiting, and their caller's next ones are refused at once."""
    admission = Admission(1, timeout_s=0.05)
    async with admission.admitted("a"):
        for _ in range(3):
            with pytest.raises(Overloaded, match="in flight already"):
                async with admission.admitted("b"):
                    pass


async def test_a_slow_model_is_load_too(clock: Clock) -> None:
    """It is overloaded long before there are many keyframes: when sessions begin to lose them."""
    admission = Admission(100, timeout_s=5)
    async with admission.admitted("a"):
        clock.now += INTERVAL_S - 0.1
        async with admission.admitted("b") as level:
            assert level == 0
        clock.now += 0.1
        async with admission.admitted("b") as level:
            assert level == 1


async def test_a_lone_session_keeps_its_steps_on_a_slow_model(clock: Clock) -> None:
    admission = Admission(100, timeout_s=5)
    for _ in range(3):
        async with admission.admitted("a") as level:
            assert level == 0
            clock.now += 4


async def test_an_error_frees_the_slot() -> None:
    admission = Admission(1, timeout_s=5)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with admission.admitted("a"):
                raise ZeroDivisionError


async def test_a_caller_with_many_sockets_does_not_take_every_slot() -> None:
    """500 sockets of one address: the next free slot is the shopper's, whoever came first."""
    admission = Admission(4, timeout_s=60)
    flood = [Keyframe(admission, "flood") for _ in range(8)]
    await tasks_run()
    shoppers = [Keyframe(admission, name) for name in ("anna", "ben")]
    await tasks_run()
    assert [keyframe.admitted for keyframe in flood] == [True] * 4 + [False] * 4
    for keyframe in flood[:3]:
        await keyframe.finish()
    await tasks_run()
    assert all(shopper.admitted for shopper in shoppers)
    assert [keyframe.admitted for keyframe in flood[4:]] == [True, False, False, False]
    for keyframe in [*flood[3:], *shoppers]:
        await keyframe.finish()


async def test_a_caller_s_queue_is_bounded() -> None:
    admission = Admission(2, timeout_s=60)
    flood = [Keyframe(admission, "flood") for _ in range(5)]
    await tasks_run()
    with pytest.raises(Overloaded, match="wait already"):
        await flood[4].task
    shopper = Keyframe(admission, "anna")
    await tasks_run()
    assert not shopper.task.done()
    for keyframe in [*flood[:4], shopper]:
        await keyframe.finish()


async def test_whoever_waits_too_long_is_told_and_takes_no_slot() -> None:
    admission = Admission(1, timeout_s=0.1 / WAIT_SHARE)
    first = Keyframe(admission, "anna")
    await tasks_run()
    with pytest.raises(Overloaded, match="in flight already"):
        await Keyframe(admission, "ben").task
    await first.finish()
    async with asyncio.timeout(5), admission.admitted("ben"):
        pass


@pytest.mark.parametrize("granted", [True, False])
async def test_a_client_that_leaves_while_it_waits_passes_its_slot_on(granted: bool) -> None:
    admission = Admission(1, timeout_s=60)
    first, leaves, last = (Keyframe(admission, name) for name in ("anna", "ben", "carla"))
    await tasks_run()
    if granted:  # the slot is handed over, and the task cancelled before it runs again
        first._finished.set()
        await asyncio.sleep(0)
    leaves.task.cancel()
    await first.finish()
    await tasks_run()
    assert (leaves.admitted, last.admitted) == (False, True)
    await last.finish()
