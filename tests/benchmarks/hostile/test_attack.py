"""The attack's pace, its end and its bounds."""

import asyncio
import time

import pytest

from benchmarks.hostile import attack as module
from benchmarks.hostile.attack import GAVE_UP, LEFT_OUT, attack
from benchmarks.hostile.clients.client import Defaults
from benchmarks.hostile.kinds import all_kinds, named
from benchmarks.hostile.target import SOURCES, Target

TARGET = Target("127.0.0.1", 1, "key")


class Fake(Defaults):
    name = "fake"
    period_s = 0.05

    def __init__(self, lasts_s=0.0, error=None):
        self.sources, self._lasts_s, self._error = [], lasts_s, error

    async def attempt(self, target, source):
        self.sources.append(source)
        await asyncio.sleep(self._lasts_s)
        if self._error:
            raise self._error
        return "413"


async def test_attempts_come_at_their_pace_from_each_address_in_turn():
    fake = Fake()
    outcomes = await attack(TARGET, [fake], 0.5)
    assert 8 <= outcomes["fake"]["413"] <= 10
    assert fake.sources[:5] == [*SOURCES, SOURCES[0]]


async def test_attempts_at_once_are_bounded():
    fake = Fake(lasts_s=60)
    fake.at_once = 3
    outcomes = await attack(TARGET, [fake], 0.5)
    assert len(fake.sources) == 3
    assert 5 <= outcomes["fake"][LEFT_OUT] <= 7


async def test_it_ends_by_itself_though_an_attempt_does_not():
    began = time.monotonic()
    await attack(TARGET, [Fake(lasts_s=60)], 0.3)
    assert time.monotonic() - began < 5


async def test_an_attempt_that_fails_or_takes_too_long_is_counted():
    slow, broken = Fake(lasts_s=60), Fake(error=ConnectionRefusedError())
    slow.within_s, slow.name = 0.1, "slow"
    outcomes = await attack(TARGET, [slow, broken], 0.5)
    assert outcomes["slow"][GAVE_UP]
    assert set(outcomes["fake"]) == {"ConnectionRefusedError"}


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:5000", "http://[2001:db8::1]:5000", "https://127.0.0.1:5000"]
)
def test_no_other_machine_can_be_attacked(url):
    with pytest.raises(ValueError, match=r"loopback|http://127\.0\.0\.1"):
        Target.at(url, "key")


def test_every_kind_has_a_name_of_its_own_and_can_be_chosen_by_it():
    names = [kind.name for kind in all_kinds()]
    assert len(set(names)) == len(names) >= 18
    assert {kind.name for kind in named(["PING"])} == {"ping flood", "pings with payload"}
    with pytest.raises(ValueError, match="ping flood"):
        named(["no such kind"])


def test_the_process_attacks_only_when_it_is_told(monkeypatch):
    with module.prepared("http://127.0.0.1:1", "key", 0.5, ["ping flood"]) as running:
        running.begin()
        assert set(running.outcomes()["ping flood"]) <= {"ConnectionRefusedError"}
