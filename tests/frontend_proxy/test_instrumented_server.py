import asyncio

import pytest

from frontend_proxy.errors import InferenceFailed, ProxyError
from frontend_proxy.instrumented_server import InstrumentedServer
from frontend_proxy.jobs import Job, run_to_result
from frontend_proxy.metrics import IN_FLIGHT, JOBS
from tests.fakes import FakeServer

JOB = Job("r-1", "capture", b"frame", b"render", "png", seed=1)


def counted(outcome: str) -> float:
    return JOBS.labels("capture", outcome)._value.get()


def in_flight() -> float:
    return IN_FLIGHT.labels("capture")._value.get()


@pytest.mark.parametrize(
    ("error", "outcome"), [(None, "done"), (InferenceFailed("it broke"), "INFERENCE_FAILED")]
)
async def test_a_job_is_counted_by_its_end(error: ProxyError | None, outcome: str) -> None:
    before, running = counted(outcome), in_flight()
    try:
        await run_to_result(InstrumentedServer(FakeServer(error=error)), JOB, 5)
    except InferenceFailed:
        assert error
    assert (counted(outcome) - before, in_flight() - running) == (1, 0)


async def test_a_job_that_is_cancelled_is_cancelled_at_the_model() -> None:
    """Otherwise Triton would go on computing an answer that nobody waits for."""
    model, before, running = FakeServer(delay_s=30), counted("cancelled"), in_flight()
    task = asyncio.create_task(run_to_result(InstrumentedServer(model), JOB, 60))
    while not model.started:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.01)
    assert in_flight() - running == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert model.cancelled == [JOB]
    assert (counted("cancelled") - before, in_flight() - running) == (1, 0)
