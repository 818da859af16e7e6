from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.fair_queue import FairQueue


def popped(queue: FairQueue[str]) -> list[str]:
    return list(iter(queue.pop, None))


def test_it_goes_round_the_callers_and_keeps_each_one_s_order() -> None:
    queue: FairQueue[str] = FairQueue(most_per_caller=10)
    for entry in ("a1", "a2", "a3", "b1", "c1", "c2"):
        assert queue.push(entry[0], entry)
    assert popped(queue) == ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert len(queue) == 0


def test_a_caller_that_comes_late_waits_for_one_entry_of_each_other_only() -> None:
    queue: FairQueue[str] = FairQueue(most_per_caller=100)
    for number in range(100):
        queue.push("flood", f"flood {number}")
    assert queue.pop() == "flood 0"
    queue.push("shopper", "shopper")
    assert [queue.pop(), queue.pop()] == ["flood 1", "shopper"]


def test_a_caller_s_queue_is_bounded_and_no_other_s_is_touched() -> None:
    queue: FairQueue[str] = FairQueue(most_per_caller=2)
    assert [queue.push("a", f"a{number}") for number in range(3)] == [True, True, False]
    assert queue.push("b", "b0")
    assert len(queue) == 3


def test_what_is_removed_does_not_come_out() -> None:
    queue: FairQueue[str] = FairQueue(most_per_caller=10)
    for entry in ("a1", "a2", "b1"):
        queue.push(entry[0], entry)
    queue.remove("b", "b1")
    queue.remove("a", "a1")
    queue.remove("a", "a1")
    queue.remove("nobody", "x")
    assert len(queue) == 1
    assert popped(queue) == ["a2"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_no_caller_is_served_twice_while_another_waits(course: list[tuple[str, bool]]) -> None:
    """Whatever is pushed and popped in between."""
    queue: FairQueue[tuple[str, int]] = FairQueue(most_per_caller=100)
    waiting: Counter[str] = Counter()
    served_since: dict[str, set[str]] = {}  # for each caller that waits: who was served meanwhile
    for number, (caller, pops) in enumerate(course):
        queue.push(caller, (caller, number))
        if not waiting[caller]:
            served_since[caller] = set()
        waiting[caller] += 1
        if pops:
            entry = queue.pop()
            assert entry is not None
            served = entry[0]
            waiting[served] -= 1
            for other in served_since:
                if other != served and waiting[other]:
                    assert served not in served_since[other]
                    served_since[other].add(served)
            served_since[served] = set()
    assert len(queue) == sum(waiting.values())
