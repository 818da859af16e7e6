"""One load on one server: a number of keyframe sessions, with a number of concurrent captures.

The client is the same for both servers: the frontend's JSON over a WebSocket, captures over HTTP.
"""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

import httpx
import psutil
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.sessions.pictures import Messages
from benchmarks.sessions.servers import MemoryWatch, Server

INTERVAL_S = 1.5  # between a session's keyframes in open loop, as the frontend sends them
SETTLED_WITHIN_S = 60
CAPTURE_WITHIN_S = 300


@dataclass(frozen=True)
class Load:
    """loop: `closed` sends the next keyframe when the last one is answered; `open` sends one every 1.5 s.
    captures: how many capture requests are in progress at all times."""

    sessions: int
    loop: str
    captures: int = 0


@dataclass
class Session:
    """The answers on one socket: latencies (ms) of pictures by the model, and all other answers."""

    latencies_ms: list[float] = field(default_factory=list)
    answered_at_s: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    other: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    def take(self, answer: dict, sent_at: float, began: float) -> None:
        now = time.perf_counter()
        if answer.get("mode") == "ai_enhanced" and not answer.get("reused"):
            self.latencies_ms.append(round(1000 * (now - sent_at), 1))
            self.answered_at_s.append(round(now - began, 2))
            self.steps.append(answer.get("steps", 0))
        else:
            kind = "reused" if answer.get("reused") else answer.get("mode_reason") or answer.get("error")
            self.other[str(kind)] += 1


async def _closed(socket: ClientConnection, messages: Messages, session: Session, began: float, until: float):
    while time.perf_counter() < until:
        sent_at = time.perf_counter()
        await socket.send(messages[session.sent])
        session.sent += 1
        session.take(json.loads(await socket.recv()), sent_at, began)


async def _open(socket: ClientConnection, messages: Messages, session: Session, began: float, until: float):
    sent_at: list[float] = []

    async def listen() -> None:
        while True:
            answer = json.loads(await socket.recv())
            session.take(answer, sent_at[answer["timestamp"]], began)

    listening = asyncio.create_task(listen())
    due = began + random.uniform(0, INTERVAL_S)
    while due < until:
        await asyncio.sleep(due - time.perf_counter())
        sent_at.append(due)  # and not the moment: what the client sends late, the server made wait
        session.sent += 1
        await socket.send(messages[session.sent - 1])
        due += INTERVAL_S
    await asyncio.sleep(until - time.perf_counter())
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def _captures(server: Server, body: bytes, seconds: list[float]) -> None:
    """Send one capture after another until cancelled."""
    async with httpx.AsyncClient(timeout=CAPTURE_WITHIN_S) as client:
        while True:
            began = time.perf_counter()
            headers = {"content-type": "application/json"}
            response = await client.post(f"{server.url}/virtual-tryon", content=body, headers=headers)
            response.raise_for_status()
            seconds.append(round(time.perf_counter() - began, 2))


async def lone(server: Server, messages: Messages, keyframes: int = 1) -> list[float]:
    """Latencies (ms) of keyframes sent one by one. The first also waits for what a load left queued."""
    latencies = []
    async with connect(server.sockets, max_size=None, compression=None) as socket:
        for number in range(keyframes):
            began = time.perf_counter()
            await socket.send(messages[number])
            await asyncio.wait_for(socket.recv(), SETTLED_WITHIN_S)
            latencies.append(round(1000 * (time.perf_counter() - began), 1))
    return latencies


async def run(server: Server, load: Load, seconds: float, messages: Messages, capture: bytes) -> dict:
    """Run the load for `seconds`; returns its measurements as benchmarks/results keeps them."""
    await lone(server, messages, 2)  # warm-up
    sockets = [await connect(server.sockets, max_size=None, compression=None) for _ in range(load.sessions)]
    sessions = [Session() for _ in sockets]
    capture_s: list[float] = []
    capturing = [asyncio.create_task(_captures(server, capture, capture_s)) for _ in range(load.captures)]
    if capturing:
        await asyncio.sleep(0.2)  # until they are in progress
    own = psutil.Process()
    loop = {"closed": _closed, "open": _open}[load.loop]
    with MemoryWatch(server) as memory:
        stages, cpu_s, own_s = server.stage_seconds(), server.cpu_s(), sum(own.cpu_times()[:2])
        began = time.perf_counter()
        await asyncio.wait_for(
            asyncio.gather(
                *(
                    loop(socket, messages, session, began, began + seconds)
                    for socket, session in zip(sockets, sessions, strict=True)
                )
            ),
            seconds + SETTLED_WITHIN_S,
        )
        cpu_s, own_s = server.cpu_s() - cpu_s, sum(own.cpu_times()[:2]) - own_s
        stages = {name: value - stages.get(name, 0) for name, value in server.stage_seconds().items()}
    for task in capturing:
        if task.done():
            task.result()  # raises if a capture failed
        task.cancel()
    await asyncio.gather(*capturing, return_exceptions=True)
    await asyncio.gather(*(socket.close() for socket in sockets))
    with contextlib.suppress(TimeoutError):
        await lone(server, messages)  # queued work would slow down the other server
    return {
        "server": server.name,
        **asdict(load),
        "seconds": seconds,
        "latencies_ms": [session.latencies_ms for session in sessions],
        "answered_at_s": [session.answered_at_s for session in sessions],
        "sent": [session.sent for session in sessions],
        "steps": dict(Counter(steps for session in sessions for steps in session.steps)),
        "other_answers": dict(sum((session.other for session in sessions), Counter())),
        "capture_s": capture_s,
        "cpu_s": round(cpu_s, 2),
        "client_cpu_s": round(own_s, 2),
        "stage_s": {name: round(value, 4) for name, value in stages.items()},
        "memory_mb": [(round(at, 1), round(mb)) for at, mb in memory.samples],
    }
