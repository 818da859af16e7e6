"""Each verdict turns with its figure."""

import dataclasses
from collections import Counter

import pytest

from benchmarks.hostile.honest import Seen
from benchmarks.hostile.verdicts import Measured, is_fault, judge

CALM = Seen([100.0] * 99 + [200.0], Counter(ai_enhanced=100), Counter(), [2.0] * 80)
SOUND = Measured(
    without=CALM,
    during=dataclasses.replace(CALM, latencies_ms=[150.0] * 100, health_ms=[9.0] * 79 + [200.0]),
    level_mb=1800,
    attack_mb=[1900.0] * 100,
    outcomes={"ping flood": {"ws 1008": 3}, "PNG": {"413": 2, "503": 1, "200": 1}},
    endless=frozenset({"ping flood"}),
    restarted=[],
)


def not_met(**changes):
    return [one.demand for one in judge(dataclasses.replace(SOUND, **changes)) if not one.met]


def test_a_sound_server_meets_every_demand():
    assert not_met() == []


@pytest.mark.parametrize(
    ("demand", "changes"),
    [
        ("p99", {"during": dataclasses.replace(CALM, latencies_ms=[100.0] * 90 + [900.0] * 10)}),
        ("/health", {"during": dataclasses.replace(CALM, health_ms=[2.0] * 79 + [251.0])}),
        ("/health", {"during": dataclasses.replace(CALM, health_ms=[])}),
        ("memory level", {"attack_mb": [1900.0 + 8 * number for number in range(100)]}),
        ("memory never", {"attack_mb": [1900.0] * 99 + [4500.0]}),
        ("honest clients", {"during": dataclasses.replace(CALM, failures=Counter(INTERNAL=1))}),
        ("no 500", {"outcomes": {"PNG": {"502": 1}}}),
        ("no 500", {"outcomes": {"PNG": {"503 without Retry-After": 1}}}),
        ("no end", {"outcomes": {"ping flood": {"not refused": 1}}}),
        ("run through", {"restarted": ["tritonserver"]}),
    ],
)
def test_a_verdict_turns_with_its_figure(demand, changes):
    (found,) = not_met(**changes)
    assert demand in found


def test_a_short_attack_has_no_verdict_on_level_memory():
    growing = [1900.0 + 20 * number for number in range(40)]
    assert not any("level" in demand for demand in not_met(attack_mb=growing))


@pytest.mark.parametrize("outcome", ["500", "502", "504", "503 without Retry-After", "ws 1011", "INTERNAL"])
def test_a_fault_is_told_from_a_refusal(outcome):
    assert is_fault(outcome)
    assert not any(map(is_fault, ("200", "400", "413", "429", "503", "closed", "ws 1008", "IMAGE_DECODE")))
