"""Deliveries in the results' folder, which several proxies share."""

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from frontend_proxy.captures.deliveries import Delivery
from frontend_proxy.captures.local_deliveries import LocalDeliveries
from frontend_proxy.captures.record import Record
from frontend_proxy.captures.results import Results
from frontend_proxy.errors import InferenceFailed
from tests.frontend_proxy.captures.test_results import record

URL = "https://shop.example/hook"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


@pytest.fixture
def stores(results: Results) -> Iterator[Callable[[], LocalDeliveries]]:
    """Makes those of several proxies that share the folder."""
    made: list[LocalDeliveries] = []

    def make() -> LocalDeliveries:
        made.append(LocalDeliveries(results))
        return made[-1]

    yield make
    for store in made:
        store.release_all()


@pytest.fixture
def store(stores: Callable[[], LocalDeliveries]) -> LocalDeliveries:
    return stores()


def failed(results: Results, url: str = URL) -> Record:
    """A capture that has ended, and whose webhook is pending."""
    kept = record(webhook_url=url, webhook_pending=True)
    lock = results.create(kept)
    kept.fail(InferenceFailed("no"))
    results.save(kept)
    lock.release()
    return kept


async def claim(store: LocalDeliveries) -> list[Delivery]:
    return await store.claim(10, 10, {})


async def test_it_is_delivered_by_one_proxy(
    results: Results, store: LocalDeliveries, stores: Callable[[], LocalDeliveries]
) -> None:
    kept, other = failed(results), stores()
    store.add(kept)
    other.add(kept)
    (delivery,) = await claim(store)
    assert (delivery.message_id, delivery.url, delivery.attempts) == (kept.result_id, URL, 0)
    assert b'"capture.failed"' in delivery.body
    assert await claim(other) == []
    await store.finish(delivery)
    assert results.load(kept.result_id).webhook_pending is False
    assert await claim(store) == await claim(other) == []


async def test_a_retry_survives_the_process(
    results: Results, store: LocalDeliveries, stores: Callable[[], LocalDeliveries]
) -> None:
    kept = failed(results)
    store.add(kept)
    (delivery,) = await claim(store)
    await store.retry(delivery, 30)
    assert await claim(store) == []
    (pending,) = results.sweep()
    assert pending.webhook_attempts == 1
    assert timedelta(seconds=25) < pending.webhook_due - datetime.now(UTC) <= timedelta(seconds=30)
    later = stores()
    later.add(pending)
    assert await claim(later) == []
    pending.webhook_due = datetime.now(UTC)
    results.save(pending)
    again = stores()
    again.add(pending)
    (delivery,) = await claim(again)
    assert delivery.attempts == 1


async def test_what_another_proxy_has_delivered_is_dropped(results: Results, store: LocalDeliveries) -> None:
    kept = failed(results)
    store.add(kept)
    results.save(kept.model_copy(update={"webhook_pending": False}))
    assert await claim(store) == []
    assert await store.waiting("shop.example") == (0, 0)


async def test_a_deleted_capture_is_dropped(results: Results, store: LocalDeliveries) -> None:
    kept = failed(results)
    store.add(kept)
    results.remove(kept.result_id)
    assert await claim(store) == []
    assert await store.waiting("shop.example") == (0, 0)


async def test_limits_per_host(results: Results, store: LocalDeliveries) -> None:
    for _ in range(5):
        store.add(failed(results))
    store.add(failed(results, "https://other.example/"))
    found = await store.claim(10, 2, {"shop.example": 1})
    assert sorted(delivery.host for delivery in found) == ["other.example", "shop.example"]
    assert await store.waiting("shop.example") == (6, 4)


async def test_those_that_wait_hold_no_open_file(results: Results, store: LocalDeliveries) -> None:
    """Failing captures with a webhook kept a lock file and a task each."""
    await asyncio.to_thread(lambda: None)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        store.add(failed(results))
    assert len(os.listdir("/proc/self/fd")) == before
    found = await store.claim(3, 10, {})
    assert len(os.listdir("/proc/self/fd")) == before + 3
    for delivery in found:
        await store.retry(delivery, 30)
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_capture_whose_process_died_is_reported_as_interrupted(
    results: Results, store: LocalDeliveries, stores: Callable[[], LocalDeliveries]
) -> None:
    orphan = record(webhook_url=URL, webhook_pending=True)
    results.create(orphan).release()
    store.add(orphan)
    (delivery,) = await claim(store)
    assert b"INTERRUPTED" in delivery.body
    store.release_all()  # this process ends, too
    other = stores()
    for pending in results.sweep():
        other.add(pending)
    assert [found.message_id for found in await claim(other)] == [orphan.result_id]


async def test_one_that_cannot_be_read_drops_no_other(results: Results, store: LocalDeliveries) -> None:
    broken, kept = failed(results), failed(results)
    results.save(broken.model_copy(update={"finished_at": None}))
    for pending in (broken, kept):
        store.add(pending)
    (delivery,) = await claim(store)
    assert delivery.message_id == kept.result_id
    lock = results.lock(broken.result_id)
    assert lock, "it is not left locked"
    lock.release()
