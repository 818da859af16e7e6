"""Honest clients: sessions that send a keyframe every 1.5 s, and a probe of /health."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from benchmarks.sessions.load import INTERVAL_S
from benchmarks.sessions.pictures import Messages

PROBE_EVERY_S = 0.25
ANSWERED_WITHIN_S = 10.0
_OVERDUE = "no answer"


@dataclass
class Seen:
    """What the honest clients saw in one phase.

    latencies_ms: of every keyframe, until its own or a newer one's answer: a client may send faster than it
        is answered, and the newest replaces the one that waits.
    answers: of each mode or reason. failures: errors, closed sockets, refused connections, overdue keyframes.
    health_ms: from when a probe was due, so that one that waits for another counts whole.
    """

    latencies_ms: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    health_ms: list[float] = field(default_factory=list)

    def percentile(self, percent: float) -> float:
        return _percentile(self.latencies_ms, percent)

    def health_percentile(self, percent: float) -> float:
        return _percentile(self.health_ms, percent)

    def figures(self) -> dict[str, object]:
        return {
            "keyframes": len(self.latencies_ms),
            "p50_ms": round(self.percentile(50)),
            "p99_ms": round(self.percentile(99)),
            "answers": dict(self.answers),
            "failures": dict(self.failures),
            "health_p50_ms": round(self.health_percentile(50), 1),
            "health_p99_ms": round(self.health_percentile(99), 1),
            "health_max_ms": round(self.health_percentile(100), 1),
        }


def _percentile(values: list[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else float("inf")


class Session:
    """One client's socket, opened again where it is closed."""

    def __init__(self, url: str, key: str, messages: Messages, seen: Seen):
        self._url, self._messages, self._seen = f"{url.replace('http', 'ws', 1)}/ws", messages, seen
        self._headers = {"Authorization": f"Bearer {key}"}
        self._sent_at: dict[int, float] = {}  # of the keyframes without an answer
        self._number = 0

    async def run(self, first_s: float, seconds: float) -> None:
        """first_s: when the first keyframe is due."""
        began = time.monotonic()
        due, until = began + first_s, began + seconds
        while due < until:
            try:
                async with connect(
                    self._url, additional_headers=self._headers, max_size=None, compression=None
                ) as socket:
                    due = await self._converse(socket, due, until)
            except (OSError, TimeoutError, WebSocketException) as error:
                code = getattr(getattr(error, "rcvd", None), "code", "")
                self._fail(f"{type(error).__name__} {code}".strip())
                due = max(due, time.monotonic() + INTERVAL_S)

    async def _converse(self, socket: ClientConnection, due: float, until: float) -> float:
        """When the next keyframe would be due. Raises ConnectionClosed."""
        listening = asyncio.create_task(self._listen(socket))
        try:
            while due < until:
                await asyncio.sleep(due - time.monotonic())
                self._sent_at[self._number] = due
                await socket.send(self._messages[self._number])
                self._number += 1
                due += INTERVAL_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWERED_WITHIN_S):
                    while self._sent_at and not listening.done():
                        await asyncio.sleep(0.01)
            if self._sent_at:
                self._fail(_OVERDUE)
            return due
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketException):
                await listening

    async def _listen(self, socket: ClientConnection) -> None:
        while True:
            answer = json.loads(await socket.recv())
            now = time.monotonic()
            for number in [number for number in self._sent_at if number <= answer["timestamp"]]:
                self._seen.latencies_ms.append(1000 * (now - self._sent_at.pop(number)))
            if answer["type"] == "error":
                self._seen.failures[answer["code"]] += 1
            else:
                self._seen.answers[answer.get("mode_reason") or answer["mode"]] += 1

    def _fail(self, what: str) -> None:
        """Every keyframe without an answer counts as one that took the longest."""
        self._seen.failures[what] += 1
        self._seen.latencies_ms += [1000 * ANSWERED_WITHIN_S] * len(self._sent_at)
        self._sent_at.clear()


async def probe_health(url: str, seen: Seen, seconds: float) -> None:
    """GET /health at fixed times, however long the others take."""
    async with httpx.AsyncClient(timeout=30) as client, asyncio.TaskGroup() as probes:
        began = time.monotonic()
        for number in range(round(seconds / PROBE_EVERY_S)):
            due = began + number * PROBE_EVERY_S
            await asyncio.sleep(due - time.monotonic())
            probes.create_task(_probe(client, f"{url}/health", due, seen))


async def _probe(client: httpx.AsyncClient, url: str, due: float, seen: Seen) -> None:
    try:
        status = (await client.get(url)).status_code
        if status != 200:
            seen.failures[f"/health {status}"] += 1
    except httpx.HTTPError as error:
        seen.failures[f"/health {type(error).__name__}"] += 1
    seen.health_ms.append(1000 * (time.monotonic() - due))


async def phase(url: str, key: str, messages: Messages, sessions: int, seconds: float) -> Seen:
    """`sessions` and the probe for `seconds`."""
    seen = Seen()
    firsts = [INTERVAL_S * number / sessions for number in range(sessions)]
    await asyncio.gather(
        *(Session(url, key, messages, seen).run(first, seconds) for first in firsts),
        probe_health(url, seen, seconds),
    )
    return seen
