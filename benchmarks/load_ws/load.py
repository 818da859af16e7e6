"""Many sockets with keyframes, and concurrent captures."""

import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field

import httpx

from benchmarks.load_ws.client import FRAME, RENDER, Client, in_base64
from benchmarks.load_ws.server import cpu, gauge, lag_between, loop_lag


@dataclass
class Tally:
    """What the clients saw. latencies, captures: in milliseconds. violations: answers out of order."""

    latencies: list[float] = field(default_factory=list)
    modes: dict[str, int] = field(default_factory=dict)
    captures: list[float] = field(default_factory=list)
    sent: int = 0
    violations: int = 0

    def count(self, answer, began):
        self.latencies.append(1000 * (time.perf_counter() - began))
        mode = ":".join(filter(None, (answer.get("mode") or answer["code"], answer.get("mode_reason"))))
        self.modes[mode] = self.modes.get(mode, 0) + 1


async def closed_loop(client, tally, until):
    """Send the next keyframe as soon as the last one is answered."""
    while time.monotonic() < until:
        tally.sent += 1
        began = time.perf_counter()
        await client.send(tally.sent)
        tally.count(await client.receive(), began)


async def open_loop(client, tally, until, interval):
    """Send a keyframe every `interval` seconds without waiting for answers, like the frontend."""
    sent = []

    async def listen():
        last = -1
        while True:
            answer = await client.receive()
            tally.count(answer, sent[answer["timestamp"]])
            tally.violations += answer["timestamp"] <= last
            last = answer["timestamp"]

    listening = asyncio.create_task(listen())
    await asyncio.sleep(random.uniform(0, interval))
    while time.monotonic() < until:
        due = time.monotonic() + interval
        sent.append(time.perf_counter())
        tally.sent += 1
        await client.send(len(sent) - 1)
        await asyncio.sleep(due - time.monotonic())
    await asyncio.wait({listening}, timeout=2 * interval)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def capture_loop(served, tally, until):
    body = {"user_image": in_base64(FRAME), "jacket_render": in_base64(RENDER), "pose": None}
    async with httpx.AsyncClient(timeout=120) as client:
        while time.monotonic() < until:
            began = time.perf_counter()
            (await client.post(f"http://{served.address}/virtual-tryon", json=body)).raise_for_status()
            tally.captures.append(1000 * (time.perf_counter() - began))


async def load(served, *, sockets, interval, captures, seconds, binary):
    """Run one load and return its figures. interval: None for the closed loop."""
    tally = Tally()

    async def session(until):
        async with Client.dial(served, binary) as client:
            await ready.wait()
            if interval is None:
                await closed_loop(client, tally, until())
            else:
                await open_loop(client, tally, until(), interval)

    ready, started = asyncio.Event(), 0.0
    sessions = [asyncio.create_task(session(lambda: started + seconds)) for _ in range(sockets)]
    while await gauge(served, "lucy_sockets") < sockets:
        await asyncio.sleep(0.2)
    lag_before, busy_before, started = await loop_lag(served), cpu(served), time.monotonic()
    ready.set()
    others = [asyncio.create_task(capture_loop(served, tally, started + seconds)) for _ in range(captures)]
    await asyncio.sleep(seconds)
    lag, busy, elapsed = await loop_lag(served), cpu(served), time.monotonic() - started
    await asyncio.gather(*sessions, *others)
    return {
        "sockets": sockets,
        "loop": "closed" if interval is None else f"open, {interval} s",
        "captures_at_once": captures,
        "format": "msgpack" if binary else "json",
        "keyframes_sent": tally.sent,
        "results_per_s": round(len(tally.latencies) / elapsed, 1),
        **percentiles(tally.latencies),
        "modes": tally.modes,
        "drops": tally.sent - len(tally.latencies),
        "order_violations": tally.violations,
        "captures": len(tally.captures),
        "capture_p50_ms": round(statistics.median(tally.captures)) if tally.captures else None,
        "loop_lag": lag_between(lag_before, lag),
        "proxy_cpu_cores": round((busy - busy_before) / elapsed, 2),
        "proxy_rss_mb": round(served.proxy.memory_info().rss / 1e6),
    }


def percentiles(milliseconds):
    ranked = sorted(milliseconds) or [float("nan")]
    return {f"p{p}_ms": round(ranked[min(len(ranked) - 1, p * len(ranked) // 100)], 1) for p in (50, 90, 99)}
