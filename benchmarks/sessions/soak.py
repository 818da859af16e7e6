"""Many sessions for minutes: is every session served, and does memory stay level?"""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from benchmarks.sessions import servers
from benchmarks.sessions.load import Load, run
from benchmarks.sessions.pictures import Messages, swaying
from benchmarks.sessions.record import Record
from benchmarks.sessions.side_by_side import HEIGHT, capture_body


def measure(sessions: int, minutes: float, record: Record) -> None:
    """Measure Lucy Serve under `sessions` in open loop; fills the record's section `soak`."""
    section = record.begin("soak", minutes=minutes)
    pairs = swaying(HEIGHT)
    with tempfile.TemporaryDirectory() as folder, servers.lucy(Path(folder)) as server, _clock(60 * minutes):
        load = Load(sessions, "open")
        section["load"] = asyncio.run(run(server, load, 60 * minutes, Messages(pairs), capture_body(pairs)))
    record.write()


@contextmanager
def _clock(seconds: float) -> Iterator[None]:
    """A progress bar of time."""
    over = threading.Event()

    def tick() -> None:
        with tqdm(total=round(seconds), unit="s") as progress:
            while not over.wait(1):
                progress.update(min(1, progress.total - progress.n))

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
