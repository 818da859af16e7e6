"""The generator's figures against a server of known behaviour, and the proxy that it starts."""

import asyncio
import time
from contextlib import asynccontextmanager

import psutil
import pytest

from benchmarks.load_ws import load as loads
from benchmarks.load_ws.__main__ import ROOT
from benchmarks.load_ws.server import serving

STAND_IN = ROOT / "benchmarks" / "stand_in"


class Client:
    """Answers `late_s` after a keyframe was sent, and takes `sending_s` to send it."""

    def __init__(self, late_s=0.0, sending_s=0.0):
        self._late_s, self._sending_s, self._sent = late_s, sending_s, asyncio.Queue()

    @asynccontextmanager
    async def dial(self, served, binary):
        yield self

    async def send(self, number):
        await asyncio.sleep(self._sending_s)
        self._sent.put_nowait(number)

    async def receive(self):
        number = await self._sent.get()
        await asyncio.sleep(self._late_s)
        return {"timestamp": number, "mode": "ai_enhanced"}


class Served:
    proxy = psutil.Process()


async def measured(monkeypatch, client, **options):
    async def nothing(served, *name):
        return 1

    monkeypatch.setattr(loads, "Client", client)
    monkeypatch.setattr(loads, "gauge", nothing)
    monkeypatch.setattr(loads, "loop_lag", nothing)
    monkeypatch.setattr(loads, "lag_between", lambda before, after: {})
    defaults = {"sockets": 1, "interval": None, "captures": 0, "seconds": 0.5, "binary": True}
    return await loads.load(Served, **defaults | options)


async def test_a_keyframe_that_waits_to_be_sent_waits_whole(monkeypatch):
    """Its time counted from the moment of sending, and each late one made all after it late."""
    monkeypatch.setattr(loads.random, "uniform", lambda *_: 0)
    found = await measured(monkeypatch, Client(sending_s=0.15), interval=0.1)
    assert found["keyframes_sent"] == 5
    assert found["p99_ms"] > 300, "the fifth was due after 0.4 s and left after 0.75 s"


async def test_answers_after_the_time_do_not_count_as_throughput(monkeypatch):
    found = await measured(monkeypatch, Client(late_s=0.4))
    assert found["keyframes_sent"] == 2
    assert found["results_per_s"] == 1 / 0.5
    assert 0 <= found["client_cpu_cores"] <= 1.5


def test_percentiles_are_those_of_numpy():
    """The 99th of 100 was the largest."""
    assert loads.percentiles([*map(float, range(1, 101))]) == {"p50_ms": 50.5, "p90_ms": 90.1, "p99_ms": 99.0}


def test_the_stand_in_and_a_proxy_start(tmp_path):
    """The proxy did not start: the folder of results lay in that of the catalog."""
    with serving(STAND_IN, tmp_path) as served:
        assert served.proxy.is_running()


def test_a_proxy_that_ends_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("API_KEYS_FILE", str(tmp_path / "none"))
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="No such file"), serving(STAND_IN, tmp_path):
        pass
    assert time.monotonic() - began < 90
