"""How late the proxy's event loop is while it serves scans."""

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvicorn
import uvloop

from frontend_proxy.__main__ import server_config
from frontend_proxy.app import create_app
from frontend_proxy.settings import Settings
from frontend_proxy.triton.client import Triton

INTERVAL_S = 0.002  # between two samples

# Runs in its own process, so that the client's work is not measured. Sends one scan after another until
# killed, half of them as JSON, half as forms, and prints a dot for each.
_CLIENT = """
import itertools, sys, httpx
url, body, photo = sys.argv[1], open(sys.argv[2], "rb").read(), open(sys.argv[3], "rb").read()
with httpx.Client(timeout=60) as client:
    for number in itertools.count():
        form = {"files": {"image": photo}} if number % 2 else {"content": body}
        client.post(url, **form).raise_for_status()
        print(".", flush=True)
"""


@dataclass(frozen=True)
class Delays:
    """idle, busy: how late the loop was at each sample, in ms. scans: answered while busy."""

    idle: np.ndarray
    busy: np.ndarray
    scans: int


def while_scanning(photo: bytes, seconds: float) -> Delays:
    """Serve the real application, without a Triton, and scan `photo` with two clients for `seconds`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_while_scanning(photo, seconds))


async def _while_scanning(photo: bytes, seconds: float) -> Delays:
    with tempfile.TemporaryDirectory() as folder:
        body, file = Path(folder, "body.json"), Path(folder, "photo.jpg")
        body.write_text(json.dumps({"image": base64.b64encode(photo).decode()}))
        file.write_bytes(photo)
        async with _proxy(Path(folder, "catalog")) as address:
            command = [sys.executable, "-c", _CLIENT, f"{address}/api/fabric/scan", str(body), str(file)]
            idle = await _delays(seconds / 2)
            clients = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
            try:
                for client in clients:  # until each has its first answer: then the worker has started
                    await asyncio.to_thread(client.stdout.readline)
                busy = await _delays(seconds)
            finally:
                for client in clients:
                    client.kill()
            said = [client.communicate()[0] for client in clients]
    return Delays(idle, busy, sum(len(dots.split()) for dots in said))


async def _delays(seconds: float) -> np.ndarray:
    """Milliseconds after each moment of a fixed rhythm: a block counts for all the time that it took."""
    late = []
    due = time.perf_counter()
    end = due + seconds
    while due < end:
        await asyncio.sleep(due - time.perf_counter())
        late.append(time.perf_counter() - due)
        due += INTERVAL_S
    return 1000 * np.array(late)


@contextlib.asynccontextmanager
async def _proxy(catalog: Path) -> AsyncIterator[str]:
    """Run the application on a free port; yields its URL."""
    settings = Settings(_env_file=None, host="127.0.0.1", port=0, catalog_dir=catalog)
    server = uvicorn.Server(server_config(settings, lambda: create_app(settings, Triton("127.0.0.1:1"))))
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            await task
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task
