"""What the proxy adds to a keyframe."""

import statistics
import time

from benchmarks.load_ws.client import FRAME, RENDER, Client
from frontend_proxy.jobs import Job, run_to_result
from frontend_proxy.triton.client import Triton


async def own_cost(served, rounds):
    """Round trips through the proxy and of the same job directly to Triton, alternating, one at a time."""
    triton = Triton(served.triton)
    job = Job("direct", "keyframe", FRAME, RENDER, "jpeg", 1, steps=1)
    costs = {}
    for name, binary in (("msgpack", True), ("json", False)):
        through, direct = [], []
        async with Client.dial(served, binary) as client:
            for number in range(rounds + 5):
                message = client.encoded(number, steps=1)
                began = time.perf_counter()
                await client.socket.send(message)
                data = await client.socket.recv()
                took = time.perf_counter() - began
                through.append(1000 * took - client.decoded(data)["latency_ms"]["denoise"])
                began = time.perf_counter()
                report = (await run_to_result(triton, job, 10)).report
                direct.append(1000 * (time.perf_counter() - began) - report.latency_ms["denoise"])
        through, direct = through[5:], direct[5:]
        costs[name] = {
            "through_proxy_p50_ms": round(statistics.median(through), 2),
            "straight_to_triton_p50_ms": round(statistics.median(direct), 2),
            "proxy_p50_ms": round(statistics.median(through) - statistics.median(direct), 2),
        }
    await triton.close()
    return costs
