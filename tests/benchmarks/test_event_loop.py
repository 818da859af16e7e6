"""How late the event loop is."""

import asyncio
import time

import numpy as np

from benchmarks import event_loop


async def test_a_block_counts_for_all_the_time_that_it_took():
    """A block of a tenth of the time was one sample of hundreds, and the 99th percentile did not see it."""
    sampling = asyncio.create_task(event_loop._delays(1.0))
    await asyncio.sleep(0.3)
    time.sleep(0.1)
    delays = await sampling
    assert np.percentile(delays, 99) > 50
