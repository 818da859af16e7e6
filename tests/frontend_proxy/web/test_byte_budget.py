import gc
import threading

import pytest

from frontend_proxy.errors import TooManyRequests
from frontend_proxy.web.byte_budget import ByteBudget, Hold, ServerFull


def filled(budget: ByteBudget, address: str, size: int) -> Hold:
    hold = budget.hold(address)
    hold.grow(size)
    return hold


def test_an_address_has_a_limit_of_its_own() -> None:
    budget = ByteBudget(total=100, per_address=10)
    first = filled(budget, "a", 6)
    second = budget.hold("a")
    with pytest.raises(TooManyRequests) as refused:
        second.grow(5)
    assert refused.value.headers == {"Retry-After": "2"}
    second.grow(4)
    filled(budget, "b", 10)
    first.release()
    second.grow(6)


def test_a_refused_growth_takes_no_bytes() -> None:
    budget = ByteBudget(total=10, per_address=10)
    hold = filled(budget, "a", 8)
    with pytest.raises(TooManyRequests):
        hold.grow(3)
    assert (hold.size, budget.held) == (8, 8)


def test_bytes_count_as_long_as_the_hold_lives() -> None:
    budget = ByteBudget(total=10, per_address=10)
    hold: Hold | None = filled(budget, "a", 10)
    assert budget.held == 10
    del hold
    assert budget.held == 0
    filled(budget, "a", 10).release()
    assert budget.held == 0


def test_a_split_hold_shares_its_bytes() -> None:
    budget = ByteBudget(total=10, per_address=10)
    arriving = filled(budget, "a", 10)
    message = arriving.split(7)
    assert (arriving.size, message.size, budget.held) == (3, 7, 10)
    arriving.release()
    assert budget.held == 7
    message.release()
    assert budget.held == 0


def test_the_largest_request_of_the_heaviest_address_is_evicted() -> None:
    """Four addresses with unfinished requests must not lock out the rest."""
    budget = ByteBudget(total=100, per_address=60)
    evicted: list[str] = []
    small, large = filled(budget, "greedy", 15), filled(budget, "greedy", 45)
    other = filled(budget, "other", 40)
    for name, hold in (("small", small), ("large", large), ("other", other)):
        hold.start_arriving(lambda name=name: evicted.append(name))  # type: ignore[misc]
    honest = filled(budget, "honest", 20)
    assert evicted == ["large"]
    assert (honest.size, large.size, budget.held) == (20, 0, 75)


def test_complete_requests_are_not_evicted() -> None:
    """What is being computed is not thrown away."""
    budget = ByteBudget(total=100, per_address=60)
    hold = filled(budget, "a", 60)
    with hold.evictable(lambda: pytest.fail("it was evicted")):
        pass
    with pytest.raises(ServerFull) as refused:
        filled(budget, "b", 60)
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "2"})


def test_the_heaviest_address_itself_is_refused() -> None:
    budget = ByteBudget(total=100, per_address=90)
    other = filled(budget, "other", 30)
    other.start_arriving(lambda: pytest.fail("a lighter one was evicted"))
    greedy = filled(budget, "greedy", 60)
    with pytest.raises(TooManyRequests):
        greedy.grow(20)
    with pytest.raises(ServerFull):
        filled(ByteBudget(total=50, per_address=90), "alone", 60)


@pytest.mark.parametrize("addresses", [1, 1000])
def test_released_holds_leave_no_entries(addresses: int) -> None:
    budget = ByteBudget(total=10**6, per_address=10)
    for number in range(addresses):
        hold = filled(budget, str(number), 10)
        hold.start_arriving(lambda: None)
        hold.end_arriving()
        hold.release()
    assert (budget.held, len(budget._held), len(budget._arriving)) == (0, 0, 0)


def test_a_hold_that_the_garbage_collector_drops_anywhere_breaks_nothing() -> None:
    """It runs in whatever thread allocates, and did in the middle of the budget's own bookkeeping."""
    budget = ByteBudget(total=10**6, per_address=10**6)

    class Cycle:
        def __init__(self) -> None:
            self.myself = self
            self.hold = filled(budget, "a", 1)

    def drop() -> None:
        for _ in range(300):
            Cycle()
            gc.collect(0)

    threads = [threading.Thread(target=lambda: [gc.collect(0) for _ in range(300)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    drop()
    for thread in threads:
        thread.join()
    gc.collect()
    assert (budget.held, len(budget._held)) == (0, 0)
