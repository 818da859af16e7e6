import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import grpc
import pytest
from prometheus_client import REGISTRY
from tritonclient.grpc import service_pb2_grpc

from frontend_proxy.background import Background
from frontend_proxy.errors import DeadlineExceeded, InvalidInput, ModelUnavailable
from frontend_proxy.jobs import Progress, Result
from frontend_proxy.triton.pool import Tritons
from tests.fakes import FakeTriton
from tests.frontend_proxy.conftest import until
from tests.frontend_proxy.triton.test_client import BARE_JOB, collect

SESSION = replace(BARE_JOB, session="s")


@pytest.fixture
async def fakes() -> AsyncIterator[list[FakeTriton]]:
    """Two servers; `stop` of a fake ends it at once, with its jobs."""
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
    await until(lambda: ready(tritons) == [True, True])
    yield tritons
    await tritons.close()


@pytest.fixture(autouse=True)
def _checks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frontend_proxy.triton.pool.CHECK_EVERY_S", 0.05)
    monkeypatch.setattr("frontend_proxy.triton.pool.CHECK_STARTING_S", 0.05)
    monkeypatch.setattr("frontend_proxy.triton.pool.RESOLVE_EVERY_S", 0.05)


def ready(tritons: Tritons) -> list[bool | None]:
    """What the watchers have found of each server."""
    return [server.ready for server in tritons._balancer.servers.values()]


async def jobs_of(fakes: list[FakeTriton]) -> list[int]:
    return [len(fake.requests) for fake in fakes]


async def test_a_job_that_no_server_takes_leaves_nothing_to_the_garbage_collector() -> None:
    """Without a Triton, hundreds of keyframes a second would fill the memory with their pictures."""
    tritons = Tritons(["127.0.0.1:1"], Background())
    gc.disable()
    try:
        job = replace(BARE_JOB)
        held = weakref.ref(job)
        for _ in range(2):  # the second time the server is known to be not ready
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


async def test_a_started_answer_is_not_requested_again(tritons: Tritons, fakes: list[FakeTriton]) -> None:
    """The client, which sees the progress, decides whether to repeat it."""
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
    await until(lambda: ready(tritons) == [False, True])
    assert (await tritons.health()).ready, "the other is"
    for _ in range(3):
        await collect(tritons, BARE_JOB)
    assert await jobs_of(fakes) == [0, 3]
    drained.model_ready = True
    other.model_ready = False
    await until(lambda: ready(tritons) == [True, False])
    await collect(tritons, BARE_JOB)
    assert await jobs_of(fakes) == [1, 3]


async def test_if_none_is_ready_each_is_tried(tritons: Tritons, fakes: list[FakeTriton]) -> None:
    """The known state is up to a second old."""
    for fake in fakes:
        fake.model_ready = False
        fake.script = [grpc.StatusCode.UNAVAILABLE]
    await until(lambda: ready(tritons) == [False, False])
    assert not (await tritons.health()).ready
    with pytest.raises(ModelUnavailable):
        await collect(tritons, BARE_JOB)
    assert await jobs_of(fakes) == [1, 1]


async def test_health_names_no_address_and_the_log_does(caplog: pytest.LogCaptureFixture) -> None:
    tritons = Tritons(["127.0.0.1:1", "127.0.0.1:2"], Background())
    assert (await tritons.health()).error, "before the first check"
    with caplog.at_level(logging.INFO):
        await until(lambda: ready(tritons) == [False, False])
    health = await tritons.health()
    await tritons.close()
    assert not health.ready
    assert health.error == "none of 2 model servers is ready: the model server does not answer"
    assert "model server 127.0.0.1:1 gets no jobs: it does not answer" in caplog.text


async def test_a_new_reason_of_triton_is_logged_once(
    tritons: Tritons, fakes: list[FakeTriton], caplog: pytest.LogCaptureFixture
) -> None:
    """It names files of the server, so health does not show it."""
    for fake in fakes:
        fake.model_ready = False
    with caplog.at_level(logging.INFO):
        await until(lambda: ready(tritons) == [False, False])
        for fake in fakes:
            fake.index = [("tryon", "UNAVAILABLE", "no such file: /srv/model.plan")]
        await until(lambda: caplog.text.count("/srv/model.plan") == 2)
        await asyncio.sleep(0.3)
    assert caplog.text.count("/srv/model.plan") == 2
    assert "srv" not in ((await tritons.health()).error or "")


async def test_health_is_known_without_asking_the_servers(tritons: Tritons, fakes: list[FakeTriton]) -> None:
    """A health check asked every Triton, so anybody could make as many calls to them as he liked."""
    asked = sum(fake.health_checks for fake in fakes)
    for _ in range(500):
        assert (await tritons.health()).ready
    assert sum(fake.health_checks for fake in fakes) - asked <= 2, "the watchers' own, meanwhile"


async def test_executions_are_counted_once_a_second_at_most(
    tritons: Tritons, fakes: list[FakeTriton]
) -> None:
    await asyncio.gather(*(tritons.executions() for _ in range(50)))
    assert [fake.statistics_calls for fake in fakes] == [1, 1]


async def test_an_old_check_says_nothing(tritons: Tritons, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a watcher hangs, its server must not count as ready for ever."""
    for watch in tritons._watches.values():
        watch.cancel()
    monkeypatch.setattr("frontend_proxy.triton.pool.STALE_S", 0.05)
    await asyncio.sleep(0.1)
    health = await tritons.health()
    assert not health.ready
    assert "not checked" in (health.error or "")


async def test_the_addresses_of_a_name_change(
    fakes: list[FakeTriton], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is removed finishes its job and gets no other."""
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
    await until(lambda: list(tritons._servers) == [second] and ready(tritons) == [True])
    told = [REGISTRY.get_sample_value("lucy_server_ready", {"server": name}) for name in (first, second)]
    assert told == [0, 1], "nobody watches the first one any more"
    known.clear()  # the DNS server does not answer: the known servers stay
    await asyncio.sleep(0.1)
    await collect(tritons, BARE_JOB)
    assert [result.image for result in await running] == [b"slow"]
    assert await jobs_of(fakes) == [1, 1]
    await tritons.close()
