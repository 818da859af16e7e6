"""Keyframes that ask for a picture and keyframes that ask for a light, in turns on one server.

A picture is asked for as existing frontends do, with whole frames; a light as client.js does, with small
copies.
"""

import asyncio
import base64
import json
import statistics
import tempfile
from pathlib import Path

import cv2
import numpy as np
from websockets.asyncio.client import connect

from benchmarks.sessions import servers
from benchmarks.sessions.figures import Figures
from benchmarks.sessions.load import INTERVAL_S, Load, lone, run
from benchmarks.sessions.pictures import Messages, swaying, swaying_bytes
from benchmarks.sessions.record import Record
from benchmarks.sessions.servers import Server
from benchmarks.verdict import Verdict
from serving.stages.runtime import has_amx

PICTURE, LIGHT = "picture", "light"
SIDE = 384  # of client.js's copies
ROUNDS, KEYFRAMES = 4, 8  # turns of the comparison of costs, and keyframes in each
CLOSED_S, OPEN_S = 4.0, 9.0
LADDER = (2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40)  # sessions
MOST_P99_MS = 1500
MOST_BYTES = 4096


def light_messages() -> Messages:
    """The sessions' pictures as client.js sends them: WebP, 384 pixels, the render with alpha."""
    pairs = [(_copy(frame), _copy(render)) for frame, render in swaying_bytes(720)]
    return Messages(pairs, answer=LIGHT)


def _copy(data: bytes) -> str:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    scale = SIDE / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    webp = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, 90])[1]
    return f"data:image/webp;base64,{base64.b64encode(webp.tobytes()).decode()}"


def measure(record: Record) -> None:
    """Fills the record's section `light`: an answer's cost, answers a second of one session, and capacity."""
    section = record.begin("light", costs=[], closed=[], open=[])
    messages = {PICTURE: Messages(swaying()), LIGHT: light_messages()}
    with tempfile.TemporaryDirectory() as folder, servers.lucy(Path(folder)) as server:
        for kind in messages:
            asyncio.run(lone(server, messages[kind], 3))
        section["answer_bytes"] = asyncio.run(_answer_bytes(server, messages[LIGHT]))
        for turn in range(ROUNDS):
            for kind in (PICTURE, LIGHT):
                section["costs"].append({"turn": turn, "kind": kind, **_cost(server, messages[kind])})
        for kind in (PICTURE, LIGHT):
            load = asyncio.run(run(server, Load(1, "closed"), CLOSED_S, messages[kind], b""))
            section["closed"].append({"kind": kind, **load})
        most = _capacity(server, messages, PICTURE, LADDER, section["open"])
        ladder = (most, 2 * most, *(n for n in LADDER if n > 2 * most))
        _capacity(server, messages, LIGHT, ladder, section["open"])
    record.write()


def _cost(server: Server, messages: Messages) -> dict:
    busy, stages = server.cpu_s(), server.stage_seconds()
    latencies = asyncio.run(lone(server, messages, KEYFRAMES))
    cpu_ms = 1000 * (server.cpu_s() - busy) / KEYFRAMES
    took = {
        name: round(1000 * (value - stages[name]) / KEYFRAMES, 1)
        for name, value in server.stage_seconds().items()
    }
    return {"cpu_ms": round(cpu_ms, 1), "latencies_ms": latencies, "stage_ms": took}


def _capacity(
    server: Server, messages: dict[str, Messages], kind: str, ladder: tuple[int, ...], found: list[dict]
) -> int:
    """The largest number of sessions of the ladder whose p99 stays below the limit."""
    most = 1
    for sessions in ladder:
        load = asyncio.run(run(server, Load(sessions, "open"), OPEN_S, messages[kind], b""))
        found.append({"kind": kind, **load})
        if not in_time(load):
            break
        most = sessions
    return most


def in_time(load: dict) -> bool:
    """Whether every session was served, the slowest of a hundred keyframes within 1.5 s."""
    figures = Figures([load])
    due = load["sessions"] * (load["seconds"] / INTERVAL_S - 2)  # some of the first and last are under way
    return bool(figures.percentile(99) <= MOST_P99_MS and figures.answers >= 0.9 * due)


async def _answer_bytes(server: Server, messages: Messages) -> list[int]:
    """The sizes of answers as JSON, without what is common to all answers of a keyframe."""
    sizes = []
    async with connect(server.sockets, max_size=None, compression=None) as socket:
        for number in range(KEYFRAMES):
            await socket.send(messages[number])
            answer = await socket.recv()
            assert json.loads(answer)["answer"] == LIGHT, "the served checkpoint has no light"
            sizes.append(len(answer.encode() if isinstance(answer, str) else answer))
    return sizes


def verdicts(section: dict) -> list[Verdict]:
    cost = {
        kind: statistics.median(it["cpu_ms"] for it in section["costs"] if it["kind"] == kind)
        for kind in (PICTURE, LIGHT)
    }
    [closed] = (Figures([it]) for it in section["closed"] if it["kind"] == LIGHT)
    wanted = 12 if has_amx() else 8
    sessions = {
        kind: max((it["sessions"] for it in section["open"] if it["kind"] == kind and in_time(it)), default=1)
        for kind in (PICTURE, LIGHT)
    }
    return [
        Verdict(
            "processor time of a light: at most half of a picture's",
            f"{cost[LIGHT] / cost[PICTURE]:.2f} times: {cost[LIGHT]:.0f} of {cost[PICTURE]:.0f} ms",
            cost[LIGHT] <= cost[PICTURE] / 2,
        ),
        Verdict(
            f"one session without pause: at least {wanted} lights a second",
            f"{closed.per_second:.1f} a second",
            closed.per_second >= wanted,
        ),
        Verdict(
            "a keyframe per 1.5 s: at least twice as many sessions until p99 is over 1.5 s",
            f"{sessions[LIGHT]} sessions of lights, {sessions[PICTURE]} of pictures",
            sessions[LIGHT] >= 2 * sessions[PICTURE],
        ),
        Verdict(
            f"an answer as JSON: at most {MOST_BYTES} bytes",
            f"at most {max(section['answer_bytes'])}",
            max(section["answer_bytes"]) <= MOST_BYTES,
        ),
    ]
