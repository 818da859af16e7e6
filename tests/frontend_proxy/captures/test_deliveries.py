"""The delivery queue apart from its stores."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from frontend_proxy.background import Background
from frontend_proxy.captures import deliveries
from frontend_proxy.captures.deliveries import Deliveries, Delivery
from frontend_proxy.errors import InvalidInput, Overloaded, StorageUnavailable
from tests.frontend_proxy.conftest import until


class FakeWebhooks:
    """Answers each host with its statuses, in order; after them with 200. `hang` hosts do not answer."""

    enabled = True

    def __init__(self) -> None:
        self.statuses: dict[str, list[int | None]] = {}
        self.hang: set[str] = set()
        self.sent: list[str] = []
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def check(self, url: str) -> None:
        if url == "bad":
            raise InvalidInput("webhook_url: bad")

    async def send(self, url: str, message_id: str, body: bytes) -> int | None:
        host = deliveries.host_of(url)
        self.sent.append(message_id)
        self.running[host] += 1
        self.running["all"] += 1
        for name in (host, "all"):
            self.most[name] = max(self.most[name], self.running[name])
        try:
            await asyncio.sleep(60 if host in self.hang else 0)
        finally:
            self.running[host] -= 1
            self.running["all"] -= 1
        if message_id == "broken":
            raise ZeroDivisionError
        left = self.statuses.get(host, [])
        return left.pop(0) if left else 200


class FakeStore:
    def __init__(self) -> None:
        self.due: list[Delivery] = []
        self.finished: list[str] = []
        self.delays: list[float] = []
        self.counts = (0, 0)
        self.away = 0

    async def claim(self, limit: int, per_host: int, claimed: Mapping[str, int]) -> list[Delivery]:
        if self.away:
            self.away -= 1
            raise StorageUnavailable("away")
        counts, found = Counter(claimed), []
        for delivery in list(self.due):
            if len(found) < limit and counts[delivery.host] < per_host:
                counts[delivery.host] += 1
                found.append(delivery)
                self.due.remove(delivery)
        return found

    async def retry(self, delivery: Delivery, delay_s: float) -> None:
        self.delays.append(delay_s)
        self.due.append(Delivery(delivery.message_id, delivery.url, delivery.body, delivery.attempts + 1))

    async def finish(self, delivery: Delivery) -> None:
        self.finished.append(delivery.message_id)

    async def waiting(self, host: str) -> tuple[int, int]:
        return self.counts


@pytest.fixture
def webhooks() -> FakeWebhooks:
    return FakeWebhooks()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
async def queue(webhooks: Any, store: FakeStore) -> AsyncIterator[Deliveries]:
    background = Background()
    yield Deliveries(webhooks, store, background)
    await background.close()


async def test_a_failed_delivery_is_retried_with_growing_delays(
    queue: Deliveries, store: FakeStore, webhooks: FakeWebhooks
) -> None:
    webhooks.statuses["shop.test"] = [500, None, 429, 307, 503]
    store.due = [Delivery("1", "https://shop.test/", b"")]
    queue.wake()
    await until(lambda: store.finished == ["1"])
    assert len(webhooks.sent) == 5
    for delay, least in zip(store.delays, (5, 30, 120, 600), strict=True):
        assert least <= delay <= 1.2 * least


@pytest.mark.parametrize("status", [200, 204, 410])
async def test_a_receiver_that_takes_it_or_is_gone_is_asked_once(
    queue: Deliveries, store: FakeStore, webhooks: FakeWebhooks, status: int
) -> None:
    webhooks.statuses["shop.test"] = [status]
    store.due = [Delivery("1", "https://shop.test/", b"")]
    queue.wake()
    await until(lambda: store.finished == ["1"])
    assert webhooks.sent == ["1"]


async def test_a_dead_receiver_holds_up_no_other(
    queue: Deliveries, store: FakeStore, webhooks: FakeWebhooks
) -> None:
    webhooks.hang = {"dead.test"}
    store.due = [Delivery(f"dead-{n}", "https://dead.test/", b"") for n in range(100)]
    store.due += [Delivery(f"{n}", "https://shop.test/", b"") for n in range(20)]
    queue.wake()
    await until(lambda: len(store.finished) == 20)
    assert webhooks.most["dead.test"] <= deliveries.MAX_ATTEMPTS_PER_HOST
    assert webhooks.most["shop.test"] <= deliveries.MAX_ATTEMPTS_PER_HOST


@pytest.mark.parametrize("ticks", range(6))
async def test_the_loop_ends_also_while_it_wakes(webhooks: Any, store: FakeStore, ticks: int) -> None:
    """`asyncio.wait_for` loses a cancel in one of these ticks, and the proxy never ended."""
    background = Background()
    queue = Deliveries(webhooks, store, background)
    queue.wake()
    await asyncio.sleep(0.01)
    queue.wake()
    for _ in range(ticks):
        await asyncio.sleep(0)
    closing = asyncio.create_task(background.close())
    done, _ = await asyncio.wait({closing}, timeout=5)
    if not done:  # so that the failure is this test's alone
        await asyncio.wait_for(background.close(), 5)
    assert done


async def test_attempts_are_limited_in_total(
    queue: Deliveries, store: FakeStore, webhooks: FakeWebhooks
) -> None:
    webhooks.hang = {f"{n}.test" for n in range(100)}
    store.due = [Delivery(f"{n}", f"https://{n}.test/", b"") for n in range(100)]
    queue.wake()
    await until(lambda: webhooks.running["all"] == deliveries.MAX_ATTEMPTS)
    await asyncio.sleep(0.05)
    assert webhooks.most["all"] == deliveries.MAX_ATTEMPTS


async def test_an_unforeseen_error_is_a_failed_attempt(
    queue: Deliveries, store: FakeStore, webhooks: FakeWebhooks
) -> None:
    store.due = [Delivery("broken", "https://shop.test/", b""), Delivery("2", "https://shop.test/", b"")]
    queue.wake()
    await until(lambda: set(store.finished) == {"broken", "2"})
    assert webhooks.sent.count("broken") == 5


async def test_a_store_that_is_away_is_asked_again(
    queue: Deliveries, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "POLL_S", 0.01)
    store.away = 3
    store.due = [Delivery("1", "https://shop.test/", b"")]
    queue.wake()
    await until(lambda: store.finished == ["1"])


async def test_without_a_secret_nothing_is_sent(
    queue: Deliveries, store: FakeStore, webhooks: FakeWebhooks
) -> None:
    """A secret that was removed with deliveries waiting raised at each sweep."""
    webhooks.enabled = False
    store.due = [Delivery("1", "https://shop.test/", b"")]
    queue.wake()
    await asyncio.sleep(0.02)
    assert (webhooks.sent, len(store.due), queue.tasks) == ([], 1, set())


@pytest.mark.parametrize(
    "counts",
    [(deliveries.MAX_WAITING, 0), (deliveries.MAX_WAITING_PER_HOST, deliveries.MAX_WAITING_PER_HOST)],
)
async def test_deliveries_that_wait_are_limited(
    queue: Deliveries, store: FakeStore, counts: tuple[int, int]
) -> None:
    await queue.check("https://shop.test/")
    store.counts = counts
    with pytest.raises(Overloaded, match="webhook_url"):
        await queue.check("https://shop.test/")
    with pytest.raises(InvalidInput):
        await queue.check("bad")
