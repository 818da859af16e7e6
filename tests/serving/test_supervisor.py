"""The order of a start, without processes; tests/e2e/test_serve.py starts real ones."""

import asyncio

import pytest

from serving import supervisor
from serving.exported import Exported
from serving.settings import load_settings
from serving.supervisor import Stack
from serving.triton_server import TritonServer
from tests.stack import free_ports


class Process:
    """In place of a `Child`: it runs until `end` is called."""

    def __init__(self, name, log=None, umask=None):
        self.log, self.written, self.models = log, "", set()
        self.started, self.stopped = asyncio.Event(), asyncio.Event()
        self.ended = asyncio.get_running_loop().create_future()

    async def start(self, command, environment):
        if self.started.is_set():
            self.ended = asyncio.get_running_loop().create_future()
        self.started.set()

    def end(self, status):
        self.ended.set_result(status)

    async def wait(self):
        return await asyncio.shield(self.ended)

    async def stop(self, grace_s):
        self.stopped.set()

    def children(self):
        return self.models

    def log_text(self):
        return self.written


@pytest.fixture
async def stack(tmp_path, monkeypatch):
    """It runs; returns the stack's task, Triton and the proxy."""
    monkeypatch.setattr(supervisor, "Child", Process)
    monkeypatch.setattr(TritonServer, "command", lambda self: ["tritonserver"])
    monkeypatch.setattr(TritonServer, "served", lambda self: ["postprocess", "tryon"])
    monkeypatch.setattr(TritonServer, "processes", lambda self: 2)
    monkeypatch.setenv("PORT", str(free_ports(1)[0]))
    grpc, metrics = free_ports(2)
    triton = TritonServer(tmp_path, "cpu", grpc, None, metrics, tmp_path)
    settings = load_settings(triton_grpc_port=grpc, triton_metrics_port=metrics)
    exported = Exported("tiny", "tiny", "cpu", "fp32", (), "today")
    stack = Stack(triton, settings, exported, tmp_path / "logs")
    running = asyncio.create_task(stack.run())
    yield running, stack._triton, stack._proxy
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def printed(capsys, text):
    """Waits until `text` is printed."""
    seen = ""
    async with asyncio.timeout(10):
        while text not in seen:
            await asyncio.sleep(0.02)
            seen += capsys.readouterr().out


async def test_the_proxy_starts_with_tritons_first_model(stack, capsys):
    _, triton, proxy = stack
    await asyncio.wait_for(triton.started.wait(), 5)
    await asyncio.sleep(0.3)
    assert not proxy.started.is_set()
    triton.written = "model_lifecycle.cc:839] \"successfully loaded 'postprocess'\""
    await asyncio.wait_for(proxy.started.wait(), 5)
    await printed(capsys, "postprocess   ready")


async def test_a_triton_that_ends_before_is_reported_without_a_proxy(stack):
    running, triton, proxy = stack
    triton.written = "error: creating server: Internal - failed to load all models"
    triton.end(1)
    with pytest.raises(supervisor.CannotServe, match="Triton did not start: creating server"):
        await asyncio.wait_for(running, 5)
    assert not proxy.started.is_set()


async def test_the_end_of_the_proxy_ends_the_stack(stack):
    running, triton, proxy = stack
    triton.written = "successfully loaded 'postprocess'"
    proxy.end(3)
    with pytest.raises(supervisor.CannotServe, match="the proxy ended with status 3"):
        await asyncio.wait_for(running, 5)


async def test_a_model_that_died_while_the_others_loaded_is_noticed(stack, capsys, monkeypatch):
    """Triton reports it as ready. It was gone when the supervisor first looked, and all requests failed."""
    _, triton, _ = stack
    triton.models = {2}
    monkeypatch.setattr(supervisor, "is_open", lambda host, port: True)
    monkeypatch.setattr(supervisor, "http_ready", lambda addresses, port, path: True)
    await asyncio.wait_for(triton.stopped.wait(), 10)
    printed = capsys.readouterr().out
    assert "The process of one of Triton's models died" in printed
    assert printed.rstrip().endswith("logs/triton.log.1"), "where the reason is when Triton runs again"


async def test_a_triton_that_ends_is_started_again_after_pauses_that_grow(stack, capsys, monkeypatch):
    """The proxy, which answers 503 meanwhile, reads each state in a file."""
    _, triton, _ = stack
    triton.models = {1, 2}
    states = []
    monkeypatch.setattr(supervisor, "write_state", lambda file, state: states.append(state))
    monkeypatch.setattr(supervisor, "_BACKOFF_S", (0.01, 0.02))
    monkeypatch.setattr(supervisor, "is_open", lambda host, port: True)
    monkeypatch.setattr(supervisor, "http_ready", lambda addresses, port, path: True)

    async def ends(pause):
        triton.end(1)
        await printed(capsys, f"Triton ended with status 1; starting Triton again in {pause} s")
        async with asyncio.timeout(10):
            while states[-1] != "ready":
                await asyncio.sleep(0.01)

    await printed(capsys, "Ready: ")
    for pause in (0.01, 0.02, 0.02):
        await ends(pause)
    monkeypatch.setattr(supervisor, "_STABLE_S", 0)
    await ends(0.01)
    assert states[states.index("ready") :] == ["ready", *["away", "loading", "ready"] * 4]
