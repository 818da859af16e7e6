"""A batch of captures beside live sessions: how much longer do their keyframes take?

The sessions send at the frontend's pace, alone before and after the batch, and beside it until it has ended.
"""

import asyncio
import json
import tempfile
import time
from pathlib import Path

import httpx
from tqdm import tqdm

from benchmarks.sessions import servers
from benchmarks.sessions.figures import Figures
from benchmarks.sessions.load import Load, run
from benchmarks.sessions.pictures import Messages, swaying
from benchmarks.sessions.record import Record
from benchmarks.sessions.servers import Server
from benchmarks.sessions.side_by_side import HEIGHT
from benchmarks.verdict import Verdict

SESSIONS, CAPTURES = 2, 60
TURN_S = 20.0
ALONE_TURNS = 2  # before the batch, and as many after it
MOST_GROWTH = 1.2
ENDS_WITHIN_S = 1200


def measure(record: Record) -> None:
    """Fills the record's section `batch`: loads alone and beside the batch, and the seconds that it took."""
    section = record.begin("batch", alone=[], beside=[])
    pairs = swaying(HEIGHT)
    messages, load = Messages(pairs), Load(SESSIONS, "open")

    def turn(server: Server) -> dict:
        return asyncio.run(run(server, load, TURN_S, messages, b""))

    with (
        tempfile.TemporaryDirectory() as folder,
        servers.lucy(Path(folder)) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
        tqdm(total=CAPTURES, unit="capture") as progress,
    ):
        section["alone"] += [turn(server) for _ in range(ALONE_TURNS)]
        began = time.perf_counter()
        answer = client.post("/api/batches", json=batch_of(pairs)).raise_for_status().json()
        while (batch := client.get(answer["url"]).raise_for_status().json())["state"] == "running":
            if time.perf_counter() - began > ENDS_WITHIN_S:
                raise TimeoutError(f"the batch has not ended within {ENDS_WITHIN_S} s: {batch['counts']}")
            section["beside"].append(turn(server))
            progress.update(batch["counts"]["succeeded"] - progress.n)
        section |= {"batch_s": round(time.perf_counter() - began, 1), "counts": batch["counts"]}
        client.delete(answer["url"]).raise_for_status()
        section["alone"] += [turn(server) for _ in range(ALONE_TURNS)]
    record.write()


def batch_of(pairs: list[tuple[str, str]]) -> dict:
    """CAPTURES captures of the sessions' pictures, each of which is sent once."""
    images = {
        f"{kind}-{n}": uri for n, pair in enumerate(pairs) for kind, uri in zip("fr", pair, strict=True)
    }
    numbers = [n % len(pairs) for n in range(CAPTURES)]
    captures = [{"user_image": f"f-{n}", "jacket_render": f"r-{n}", "pose": None} for n in numbers]
    return {"images": images, "captures": captures}


def verdicts(section: dict) -> list[Verdict]:
    alone, beside = Figures(section["alone"]), Figures(section["beside"])
    p99, before = beside.percentile(99), alone.percentile(99)
    counts = section["counts"]
    found = (
        f"{p99:.0f} and {before:.0f} ms; p50 {beside.percentile(50):.0f} and {alone.percentile(50):.0f} ms"
    )
    return [
        Verdict(
            f"{CAPTURES} captures of a batch beside {SESSIONS} live sessions: all end",
            f"{json.dumps(counts)} in {section['batch_s']:.0f} s",
            counts["succeeded"] == CAPTURES,
        ),
        Verdict(
            f"the sessions' p99 grows at most {MOST_GROWTH} times",
            f"{p99 / before:.2f} times: {found}, of {beside.answers} and {alone.answers} keyframes",
            p99 <= MOST_GROWTH * before,
        ),
    ]
