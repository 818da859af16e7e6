"""Many concurrent clients: keyframe sessions, and captures that are fetched later."""

import asyncio
import contextlib
import itertools
import json
import uuid
from collections import Counter
from dataclasses import dataclass, field

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.frontend_proxy.conftest import CAPTURE, FRAME, RENDER


@dataclass
class Sessions:
    """Clients that send a keyframe, wait for its answer, and send the next one `pause_s` later.

    Keyframes take 3, 4 or 5 steps, in a different order for each client. Otherwise all clients would be
    answered at the same moments, and a slow server would get more of the short ones.
    modes: the number of answers by mode, or by reason for fallbacks. closes: by close code.
    """

    base: str
    pause_s: float = 0.0
    modes: Counter = field(default_factory=Counter)
    closes: Counter = field(default_factory=Counter)

    async def run(self, clients, seconds):
        return await self.run_until(asyncio.create_task(asyncio.sleep(seconds)), clients)

    async def run_until(self, end, clients):
        """Run until the task `end` is done."""
        await asyncio.gather(*(self._client(end, first) for first in range(clients)))
        return self

    @property
    def answers(self):
        return self.modes.total()

    @property
    def fallbacks(self):
        return self.answers - self.modes["ai_enhanced"]

    async def _client(self, end, first):
        while not end.done():
            try:
                async with connect(f"{self.base.replace('http', 'ws')}/ws", max_size=None) as socket:
                    await self._converse(socket, end, first)
            except ConnectionClosed as closed:
                self.closes[closed.rcvd.code if closed.rcvd else 1006] += 1
            except (OSError, InvalidStatus, EOFError):  # no server at this moment; a browser tries again, too
                self.closes["refused"] += 1
                await asyncio.sleep(0.2)

    async def _converse(self, socket, end, first):
        for number in itertools.count(first):
            if end.done():
                return
            message = {"type": "keyframe", "timestamp": number, "seed": number, "camera_frame": FRAME,
                       "jacket_render": RENDER, "pose": None, "steps": 3 + number % 3}  # fmt: skip
            await socket.send(json.dumps(message))
            answer = json.loads(await socket.recv())
            self.modes[answer.get("mode_reason") or answer.get("mode") or answer["code"]] += 1
            await asyncio.sleep(self.pause_s)


async def accepted(base, count, every_s=0.0):
    """The paths of `count` accepted captures. A refused one is sent again with its Idempotency-Key, as a
    client would."""

    async def one(client, number):
        await asyncio.sleep(number * every_s)
        headers = {"Prefer": "respond-async", "Idempotency-Key": str(uuid.uuid4())}
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await client.post(
                    "/virtual-tryon", json={**CAPTURE, "seed": number}, headers=headers
                )
                if answer.status_code == 202:
                    return f"/virtual-tryon/{answer.json()['result_id']}"
                assert answer.status_code in (429, 502, 503, 504), answer.text
            await asyncio.sleep(0.2)

    async with httpx.AsyncClient(base_url=base, timeout=20) as client:
        return await asyncio.gather(*(one(client, number) for number in range(count)))


async def ends(base, paths, within_s):
    """The number of captures by result: `succeeded`, a failure's code, or `lost` if the server has none."""

    async def one(client, path):
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await client.get(path)
                if answer.status_code == 404:
                    return "lost"
                if answer.status_code == 200 and answer.json()["state"] != "running":
                    failure = answer.json()["failure"]
                    return failure["code"] if failure else "succeeded"
            await asyncio.sleep(0.3)

    async with asyncio.timeout(within_s), httpx.AsyncClient(base_url=base, timeout=20) as client:
        return Counter(await asyncio.gather(*(one(client, path) for path in paths)))
