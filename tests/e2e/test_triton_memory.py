"""Triton's own process forgets a job when it has answered it."""

import asyncio

import pytest

from benchmarks.sessions.pictures import swaying_bytes
from frontend_proxy.jobs import Job, Result
from frontend_proxy.triton.client import Triton

AT_ONCE = 4


async def dress(triton, number):
    frame, render = swaying_bytes()[number % len(swaying_bytes())]
    job = Job(f"{number}", "keyframe", frame, render, "jpeg", seed=1, steps=1)
    return [it async for it in triton.run(job, 60) if isinstance(it, Result)]


async def keyframes(address, count):
    triton = Triton(address)
    for first in range(0, count, AT_ONCE):
        answers = await asyncio.gather(*(dress(triton, first + n) for n in range(AT_ONCE)))
        assert all(len(results) == 1 for results in answers)
    await triton.close()


@pytest.mark.nightly
def test_it_keeps_nothing_of_a_keyframe_that_it_has_answered(stack):
    """0.2 MB each it did, of streams that were cancelled as soon as the picture had come."""
    asyncio.run(keyframes(stack.triton_grpc, 60))
    before = stack.triton.memory_full_info().uss
    asyncio.run(keyframes(stack.triton_grpc, 120))
    grown = (stack.triton.memory_full_info().uss - before) / 1e6
    assert grown < 10, f"{grown:.0f} MB for 120 keyframes"
