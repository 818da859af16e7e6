import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

from frontend_proxy.background import Background
from frontend_proxy.errors import DeadlineExceeded, InvalidInput, ModelUnavailable
from frontend_proxy.jobs import Progress, Result
from frontend_proxy.triton.pool import Tritons
from tests.fakes import FakeTriton
from tests.frontend_proxy.triton.test_client import BARE_JOB, collect

SESSION = replace(BARE_JOB, session="s")


@pytest.fixture
async def fakes() -> AsyncIterator[list[FakeTriton]]:
    """Two servers; a fake's `stop` ends it at once, jobs and all."""
    fakes, servers = [FakeTriton(), FakeTriton()], []
    for fake in fakes:
        server = grpc.aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(fake, server)
        fake.port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        fake.stop = lambda server=server: server.stop(grace=None)
        servers.append(server)
    yield fakes
    await asyncio.gather(*(server.stop(grace=None) for server in servers))


@pytest.fixture
async def tritons(fakes: list[FakeTriton]) -> AsyncIterator[Tritons]:
    tritons = Tritons([f"127.0.0.1:{fake.port}" for fake in fakes], Background())
    assert (await tritons.health()).ready
    yield tritons
    await tritons.close()


@pytest.fixture(autouse=True)
def _checks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frontend_proxy.triton.pool.CHECK_EVERY_S", 0.05)
    monkeypatch.setattr("frontend_proxy.triton.pool.RESOLVE_EVERY_S", 0.05)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def jobs_of(fakes: list[FakeTriton]) -> list[int]:
    return [len(fake.requests) for fake in fakes]


async def test_a_job_that_no_server_takes_leaves_nothing_to_the_garbage_collector() -> None:
    """With Triton away, hundreds of keyframes a second do: their pictures would fill the memory."""
    tritons = Tritons(["127.0.0.1:1"], Background())
    gc.disable()
    try:
        job = replace(BARE_JOB)
        held = weakref.ref(job)
        for _ in range(2):  # asked of the server, and refused at once since it is known to be away
            with suppress(ModelUnavailable):
                await collect(tritons, job)
        del job
        await asyncio.sleep(0.1)  # gRPC's own tasks end
        assert held() is None
    finally:
        gc.enable()
        await tritons.close()


async def test_jobs_without_a_session_are_shared(tritons: Tritons, fakes: list[FakeTriton]) -> None:
    for _ in range(4):
        await collect(tritons, BARE_JOB)
    assert await jobs_of(fakes) == [2, 2]


async def test_a_session_keeps_its_server(tritons: Tritons, fakes: list[FakeTriton]) -> None:
    for _ in range(4):
        await collect(tritons, SESSION)
    assert sorted(await jobs_of(fakes)) == [0, 4]


async def test_a_job_goes_to_the_next_server_where_the_first_is_away(
    tritons: Tritons, fakes: list[FakeTriton]
) -> None:
    await collect(tritons, SESSION)
    home, other = sorted(fakes, key=lambda fake: -len(fake.requests))
    home.script = [grpc.StatusCode.UNAVAILABLE]
    (result,) = await collect(tritons, SESSION)
    assert isinstance(result, Result)
    assert len(other.requests) == 1


async def test_a_server_killed_with_a_job_hands_it_to_the_next(
    tritons: Tritons, fakes: list[FakeTriton]
) -> None:
    for fake in fakes:
        fake.script = [5.0, b"picture"]
    running = asyncio.create_task(collect(tritons, SESSION, timeout_s=10))
    await until(lambda: any(fake.requests for fake in fakes))
    home, other = sorted(fakes, key=lambda fake: -len(fake.requests))
    other.script = [b"picture"]
    await home.stop()
    (result,) = await running
    assert result.image == b"picture"


async def test_what_has_begun_to_arrive_is_not_begun_anew(tritons: Tritons, fakes: list[FakeTriton]) -> None:
    """Whoever watches the progress decides that."""
    for fake in fakes:
        fake.script = [(1, 4), grpc.StatusCode.UNAVAILABLE]
    responses = tritons.run(BARE_JOB, 5)
    assert await anext(responses) == Progress(1, 4)
    with pytest.raises(ModelUnavailable):
        await anext(responses)
    assert sum(await jobs_of(fakes)) == 1


@pytest.mark.parametrize(
    ("script", "error"), [("INVALID_INPUT: pose", InvalidInput), (60.0, DeadlineExceeded)]
)
async def test_other_failures_are_not_tried_twice(
    tritons: Tritons, fakes: list[FakeTriton], script: str | float, error: type[Exception]
) -> None:
    for fake in fakes:
        fake.script = [script]
    with pytest.raises(error):
        await collect(tritons, BARE_JOB, timeout_s=0.3)
    assert sum(await jobs_of(fakes)) == 1


async def test_a_server_that_says_not_ready_gets_no_jobs_until_it_says_ready(
    tritons: Tritons, fakes: list[FakeTriton]
) -> None:
    drained, other = fakes
    drained.model_ready = False
    assert (await tritons.health()).ready, "the other is"
    for _ in range(3):
        await collect(tritons, BARE_JOB)
    assert await jobs_of(fakes) == [0, 3]
    drained.model_ready = True
    other.model_ready = False
    await tritons.health()
    await collect(tritons, BARE_JOB)
    assert await jobs_of(fakes) == [1, 3]


async def test_where_none_is_ready_each_is_tried(tritons: Tritons, fakes: list[FakeTriton]) -> None:
    """What is known of them is up to a second old."""
    for fake in fakes:
        fake.model_ready = False
        fake.script = [grpc.StatusCode.UNAVAILABLE]
    health = await tritons.health()
    assert not health.ready
    with pytest.raises(ModelUnavailable):
        await collect(tritons, BARE_JOB)
    assert await jobs_of(fakes) == [1, 1]


async def test_what_is_away_is_named() -> None:
    tritons = Tritons(["127.0.0.1:1", "127.0.0.1:2"], Background())
    health = await tritons.health()
    await tritons.close()
    assert not health.ready
    assert "127.0.0.1:1: " in health.error
    assert "127.0.0.1:2: " in health.error


async def test_a_name_s_addresses_come_and_go(
    fakes: list[FakeTriton], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has gone keeps the job that it has, and gets no other."""
    first, second = (f"127.0.0.1:{fake.port}" for fake in fakes)
    known = {first}

    async def resolve(addresses: list[str]) -> set[str]:
        assert addresses == ["dns:///triton:8001"]
        if not known:
            raise OSError("no such name")
        return set(known)

    monkeypatch.setattr("frontend_proxy.triton.pool.resolve", resolve)
    tritons = Tritons(["dns:///triton:8001"], Background())
    async with asyncio.timeout(10):
        while not (await tritons.health()).ready:
            await asyncio.sleep(0.01)
    fakes[0].script = [0.5, b"slow"]
    running = asyncio.create_task(collect(tritons, BARE_JOB))
    await until(lambda: bool(fakes[0].requests))
    known.clear()
    known.add(second)
    await until(lambda: list(tritons._servers) == [second])
    known.clear()  # the name server is away: what is known stays
    await asyncio.sleep(0.1)
    await collect(tritons, BARE_JOB)
    assert [result.image for result in await running] == [b"slow"]
    assert await jobs_of(fakes) == [1, 1]
    await tritons.close()
