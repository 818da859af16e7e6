from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.triton.balancer import LEAST_WEIGHT, LOAD_FLOOR, Balancer

SESSIONS = [f"session-{number}" for number in range(2000)]
NAMES = st.lists(st.text("abc.:0", min_size=1), min_size=1, max_size=8, unique=True)


def balancer_of(*names: str) -> Balancer:
    balancer = Balancer(slow_start_s=10)
    for name in names:
        balancer.add(name, late=False)
        balancer.set_ready(name, True, now=0)
    return balancer


def homes(balancer: Balancer, now: float = 100) -> dict[str, str | None]:
    return {session: balancer.choose(session, (), now) for session in SESSIONS}


@given(NAMES, st.integers(1, 5))
def test_jobs_without_a_session_go_round(names: list[str], rounds: int) -> None:
    balancer = balancer_of(*names)
    for _ in range(rounds):
        assert sorted(str(balancer.choose(None, (), 0)) for _ in names) == sorted(names)


@given(NAMES, st.data())
def test_only_a_ready_server_that_is_not_excluded_is_chosen(names: list[str], data: st.DataObject) -> None:
    balancer = balancer_of(*names)
    away = data.draw(st.sets(st.sampled_from(names)))
    excluded = data.draw(st.sets(st.sampled_from(names)))
    for name in away:
        balancer.set_ready(name, False, now=1)
        assert not balancer.set_ready(name, False, now=2), "nothing changed"
    left = set(names) - excluded
    chosen = balancer.choose(data.draw(st.none() | st.text()), excluded, now=3)
    assert chosen in (left - away or left or {None})


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 5)), max_size=30))
def test_weights_stay_between_the_least_and_one(history: list[tuple[str, bool, float]]) -> None:
    balancer, now = balancer_of("a", "b", "c"), 0.0
    for name, ready, passed in history:
        now += passed
        balancer.set_ready(name, ready, now)
        assert all(LEAST_WEIGHT <= balancer.weight(name, now) <= 1 for name in balancer.servers)
        assert balancer.choose(None, (), now)


def test_a_session_stays_at_its_server_and_sessions_spread_evenly() -> None:
    balancer = balancer_of("a", "b", "c")
    assert homes(balancer) == homes(balancer_of("c", "a", "b")), "every proxy chooses alike"
    assert all(count > 0.28 * len(SESSIONS) for count in Counter(homes(balancer).values()).values())


def test_when_a_server_goes_only_its_sessions_move_and_they_come_back() -> None:
    balancer = balancer_of("a", "b", "c")
    before = homes(balancer)
    balancer.set_ready("b", False, now=1)
    without = homes(balancer)
    assert all(without[session] == home for session, home in before.items() if home != "b")
    assert "b" not in without.values()
    balancer.set_ready("b", True, now=2)
    assert homes(balancer, now=100) == before


@pytest.mark.parametrize("session", [None, "sessions"])
def test_a_server_that_comes_back_starts_slowly(session: str | None) -> None:
    balancer = balancer_of("a", "b")
    balancer.set_ready("b", False, now=0)
    balancer.set_ready("b", True, now=100)

    def share(now: float) -> float:
        chosen = [balancer.choose(session and name, (), now) for name in SESSIONS]
        return chosen.count("b") / len(chosen)

    assert share(100) < 0.12
    assert 0.25 < share(105) < 0.4
    assert share(111) == pytest.approx(0.5, abs=0.03)


def test_a_new_server_starts_slowly_and_the_first_ones_do_not() -> None:
    balancer = balancer_of("a", "b")
    assert balancer.weight("b", now=0) == 1
    balancer.add("c", late=True)
    balancer.set_ready("c", True, now=5)
    assert balancer.weight("c", now=5) == LEAST_WEIGHT


def test_the_only_server_has_its_whole_weight_at_once() -> None:
    balancer = balancer_of("a")
    balancer.set_ready("a", False, now=0)
    balancer.set_ready("a", True, now=1)
    assert balancer.weight("a", now=1) == 1


def test_sessions_leave_a_server_that_is_far_fuller_than_the_others() -> None:
    balancer = balancer_of("a", "b")
    before = homes(balancer)
    balancer.servers["a"].in_flight = LOAD_FLOOR
    assert homes(balancer) == before, "a handful is no reason"
    balancer.servers["a"].in_flight = 40
    assert set(homes(balancer).values()) == {"b"}
    balancer.servers["b"].in_flight = 30
    assert homes(balancer) == before


def test_where_all_are_excluded_there_is_none() -> None:
    assert balancer_of("a").choose(None, {"a"}, 0) is None
    assert Balancer(10).choose("s", (), 0) is None
