"""Step 4: several sockets at once beside a capture: latency, and how many rows a call of the UNet has."""

import argparse
import asyncio
import contextlib
import itertools
import json
import time
from collections import Counter

import numpy as np
from websockets.asyncio.client import connect

from benchmarks.gpu_proof.figures import Load, Recorded
from benchmarks.gpu_proof.server import Server, capture_bodies, keyframe_messages, running_server
from benchmarks.gpu_proof.steps.step import left, size_of


def measure(recorded: Recorded, args: argparse.Namespace) -> None:
    size, figures = size_of(args), recorded.figures
    with running_server(args, args.work / "sockets") as server:
        figures.ready_s = server.ready_s
        recorded.write()
        for sockets in size.sockets:
            if left(args) < 2 * size.load_s:
                recorded.fault(f"{sockets} sockets", "no time was left")
                continue
            figures.loads.append(asyncio.run(_load(server, sockets, size.load_s)))
            recorded.write()


async def _load(server: Server, sockets: int, seconds: float) -> Load:
    """Each socket sends its next keyframe when the last one is answered; captures follow each other."""
    messages, latencies, other = keyframe_messages(), [], Counter()
    until = time.perf_counter() + seconds

    async def converse(first: int) -> None:
        async with connect(server.sockets, max_size=None, compression=None, proxy=None) as socket:
            for number in itertools.count(first):
                if time.perf_counter() > until:
                    return
                began = time.perf_counter()
                await socket.send(messages[number])
                answer = json.loads(await asyncio.wait_for(socket.recv(), 30))
                if answer.get("mode") == "ai_enhanced" and not answer.get("reused"):
                    latencies.append(1000 * (time.perf_counter() - began))
                else:
                    other[str(answer.get("mode_reason") or answer.get("error") or "reused")] += 1

    done = 0

    async def capture() -> None:
        nonlocal done
        for body in itertools.cycle(capture_bodies()):
            await asyncio.to_thread(server.capture, body, 30)
            done += 1

    before = server.network_calls("unet")
    capturing = asyncio.create_task(capture())
    await asyncio.gather(*(converse(number) for number in range(sockets)))
    if capturing.done():
        capturing.result()  # raises if one failed
    capturing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await capturing
    after = server.network_calls("unet")
    rows = calls = None
    if before and after:
        rows, calls = after[0] - before[0], after[1] - before[1]
    p50, p99 = np.percentile(latencies, [50, 99]).tolist() if latencies else (None, None)
    return Load(
        sockets=sockets,
        captures=1,
        seconds=seconds,
        answers=len(latencies),
        other_answers=dict(other),
        p50_ms=p50,
        p99_ms=p99,
        captures_done=done,
        calls=None if calls is None else round(calls),
        rows_a_call=round(rows / calls, 2) if calls and rows is not None else None,
    )
