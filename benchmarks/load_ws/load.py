"""Many sockets with keyframes, and concurrent captures."""

import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field

import httpx
import numpy as np
import psutil

from benchmarks.load_ws.client import FRAME, RENDER, Client, in_base64
from benchmarks.load_ws.server import cpu, gauge, lag_between, loop_lag


@dataclass
class Tally:
    """What the clients saw. latencies, captures: in milliseconds. violations: answers out of order.

    until: answers that come later count as latencies, but not in `in_time`.
    """

    latencies: list[float] = field(default_factory=list)
    modes: dict[str, int] = field(default_factory=dict)
    captures: list[float] = field(default_factory=list)
    sent: int = 0
    violations: int = 0
    until: float = 0.0
    in_time: int = 0

    def count(self, answer, began):
        now = time.monotonic()
        self.latencies.append(1000 * (now - began))
        self.in_time += now <= self.until
        mode = ":".join(filter(None, (answer.get("mode") or answer["code"], answer.get("mode_reason"))))
        self.modes[mode] = self.modes.get(mode, 0) + 1


async def closed_loop(client, tally):
    """Send the next keyframe as soon as the last one is answered."""
    while time.monotonic() < tally.until:
        tally.sent += 1
        began = time.monotonic()
        await client.send(tally.sent)
        tally.count(await client.receive(), began)


async def open_loop(client, tally, interval):
    """Send a keyframe every `interval` seconds without waiting for answers, like the frontend.

    A keyframe's latency counts from when it was due: one that waits for the one before it waits whole.
    """
    sent = []

    async def listen():
        last = -1
        while True:
            answer = await client.receive()
            tally.count(answer, sent[answer["timestamp"]])
            tally.violations += answer["timestamp"] <= last
            last = answer["timestamp"]

    listening = asyncio.create_task(listen())
    due = time.monotonic() + random.uniform(0, interval)
    while due < tally.until:
        await asyncio.sleep(due - time.monotonic())
        sent.append(due)
        tally.sent += 1
        await client.send(len(sent) - 1)
        due += interval
    await asyncio.wait({listening}, timeout=2 * interval)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def capture_loop(served, tally):
    body = {"user_image": in_base64(FRAME), "jacket_render": in_base64(RENDER), "pose": None}
    async with httpx.AsyncClient(timeout=120) as client:
        while time.monotonic() < tally.until:
            began = time.perf_counter()
            (await client.post(f"http://{served.address}/virtual-tryon", json=body)).raise_for_status()
            tally.captures.append(1000 * (time.perf_counter() - began))


async def load(served, *, sockets, interval, captures, seconds, binary):
    """Run one load and return its figures. interval: None for the closed loop."""
    tally, own = Tally(), psutil.Process()

    async def session():
        async with Client.dial(served, binary) as client:
            await ready.wait()
            if interval is None:
                await closed_loop(client, tally)
            else:
                await open_loop(client, tally, interval)

    ready = asyncio.Event()
    sessions = [asyncio.create_task(session()) for _ in range(sockets)]
    while await gauge(served, "lucy_sockets") < sockets:
        await asyncio.sleep(0.2)
    lag_before, busy_before, own_before = await loop_lag(served), cpu(served.proxy), cpu(own)
    started = time.monotonic()
    tally.until = started + seconds
    ready.set()
    others = [asyncio.create_task(capture_loop(served, tally)) for _ in range(captures)]
    await asyncio.sleep(seconds)
    busy, own_busy, elapsed = cpu(served.proxy), cpu(own), time.monotonic() - started
    lag = await loop_lag(served)
    await asyncio.gather(*sessions, *others)
    return {
        "sockets": sockets,
        "loop": "closed" if interval is None else f"open, {interval} s",
        "captures_at_once": captures,
        "format": "msgpack" if binary else "json",
        "keyframes_sent": tally.sent,
        "results_per_s": round(tally.in_time / seconds, 1),
        **percentiles(tally.latencies),
        "modes": tally.modes,
        "drops": tally.sent - len(tally.latencies),
        "order_violations": tally.violations,
        "captures": len(tally.captures),
        "capture_p50_ms": round(statistics.median(tally.captures)) if tally.captures else None,
        "loop_lag": lag_between(lag_before, lag),
        "proxy_cpu_cores": round((busy - busy_before) / elapsed, 2),
        "client_cpu_cores": round((own_busy - own_before) / elapsed, 2),
        "proxy_rss_mb": round(served.proxy.memory_info().rss / 1e6),
    }


def percentiles(milliseconds):
    found = np.percentile(milliseconds or [np.nan], (50, 90, 99))
    return {f"p{p}_ms": round(float(one), 1) for p, one in zip((50, 90, 99), found, strict=True)}
