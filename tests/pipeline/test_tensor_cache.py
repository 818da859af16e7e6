import asyncio

import pytest
import torch

from pipeline.tensor_cache import TensorCache


class Computing:
    """Counts how often it computes; each value has `size` bytes."""

    def __init__(self, size=400, fails=0):
        self.size, self.fails, self.calls = size, fails, 0

    async def __call__(self):
        self.calls += 1
        await asyncio.sleep(0)
        if self.fails >= self.calls:
            raise RuntimeError("no values")
        return {"latents": torch.ones(self.size // 4)}


async def test_a_garment_is_computed_once_also_by_requests_that_come_together():
    cache, compute = TensorCache(10_000), Computing()
    first, second = await asyncio.gather(cache.get("a", compute), cache.get("a", compute))
    assert first is second
    assert await cache.get("a", compute) is first
    assert compute.calls == 1


async def test_other_garments_are_computed_and_the_longest_unused_goes_first():
    cache, compute = TensorCache(1000), Computing(400)
    for key in ("a", "b", "a", "c", "a"):
        await cache.get(key, compute)
    assert compute.calls == 3
    await cache.get("b", compute)
    assert compute.calls == 4, "b was used longest ago when c came"
    assert len(cache) == 2


async def test_what_is_larger_than_the_cache_is_given_and_not_kept():
    cache, compute = TensorCache(100), Computing(400)
    assert len((await cache.get("a", compute))["latents"]) == 100
    assert len(cache) == 0


async def test_a_failure_is_not_kept():
    cache, compute = TensorCache(10_000), Computing(fails=1)
    with pytest.raises(RuntimeError, match="no values"):
        await cache.get("a", compute)
    await cache.get("a", compute)
    assert compute.calls == 2


async def test_a_request_that_is_cancelled_takes_nothing_from_others():
    cache, compute = TensorCache(10_000), Computing()
    first, second = (asyncio.create_task(cache.get("a", compute)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert "latents" in await second
    assert compute.calls == 1


async def test_kept_values_are_copies():
    """A model's outputs lie in memory that the server wants back."""
    shared = torch.ones(4)

    async def compute():
        return {"latents": shared}

    kept = await TensorCache(1000).get("a", compute)
    shared.zero_()
    assert kept["latents"].tolist() == [1] * 4
