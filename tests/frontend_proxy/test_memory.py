"""The proxy's memory while clients send what never ends, measured on a process of its own."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from frontend_proxy.settings import Settings

MIB = 2**20
IN_FLIGHT_MIB, PER_ADDRESS_MIB = 64, 32
MOST_MIB = 2 * IN_FLIGHT_MIB  # of growth: the budget, buffers of the connections, and what malloc keeps
BODY = 27 * MIB


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Port and process id."""
    names = {name.upper() for name in Settings.model_fields}
    environment = {name: value for name, value in os.environ.items() if name.upper() not in names}
    environment["MAX_BYTES_IN_FLIGHT"] = str(IN_FLIGHT_MIB * MIB)
    environment["MAX_BYTES_IN_FLIGHT_PER_ADDRESS"] = str(PER_ADDRESS_MIB * MIB)
    for name in ("MAX_VIDEO_BYTES", "MAX_BATCH_BYTES"):  # one body of the largest size always fits
        environment[name] = str(PER_ADDRESS_MIB // 2 * MIB)
    environment["API_KEYS"] = "k" * 32
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--host=127.0.0.1", f"--port={port}", "--triton-url=127.0.0.1:1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "frontend_proxy", *options],
        env=environment,
        cwd=tmp_path_factory.mktemp("proxy"),
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not _answers(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
    except httpx.ConnectError:
        return False


def peak_mib(process: int) -> int:
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


def forget_peak(process: int) -> None:
    Path(f"/proc/{process}/clear_refs").write_text("5")


async def send(port: int, source: str, head: bytes, filler: bytes, most: int) -> None:
    """Until the server hangs up, at most `most` bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    answer = asyncio.create_task(reader.read(2**16))
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(6):
            writer.write(head)
            for _ in range(most // len(filler)):
                writer.write(filler)
                await writer.drain()
            await asyncio.sleep(1)
    writer.close()
    answer.cancel()
    await asyncio.gather(answer, return_exceptions=True)


REQUEST = b"POST /virtual-tryon HTTP/1.1\r\nHost: lucy\r\n"
KEY = b"X-API-Key: " + b"k" * 32 + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
JSON = KEY + b"Content-Type: application/json\r\n"
FORM = KEY + b"Content-Type: multipart/form-data; boundary=b\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % (BODY + 1)
PART = b'--b\r\nContent-Disposition: form-data; name="user_image"; filename="a"\r\n\r\n'
ATTACKS = {
    "unfinished JSON": (JSON + LENGTH, b" " * 2**16, BODY),
    "unfinished forms": (FORM + b"Content-Length: 20000000\r\n\r\n" + PART, b"x" * 2**16, 19 * MIB),
    "trailers": (JSON + CHUNKED + b"0\r\n", b"X-Trailer: y\r\n" * 5000, 200 * MIB),
    "trailers after a 401": (CHUNKED + b"0\r\n", b"X-Trailer: y\r\n" * 5000, 200 * MIB),
    "an endless trailer after a 401": (CHUNKED + b"0\r\nX-Trailer: ", b"y" * 2**16, 200 * MIB),
    "an endless chunk extension": (JSON + CHUNKED + b"1;", b"x" * 2**16, 200 * MIB),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("attack", ATTACKS)
async def test_twenty_clients_of_two_addresses_take_no_more_than_the_budget(
    proxy: tuple[int, int], attack: str
) -> None:
    """20 unfinished bodies of 27 MiB took 541 MB, trailers after a 401 404 MB in 5 s."""
    port, process = proxy
    head, filler, most = ATTACKS[attack]
    forget_peak(process)
    before = peak_mib(process)
    clients = [send(port, f"127.0.0.{2 + number % 2}", REQUEST + head, filler, most) for number in range(20)]
    sending = asyncio.gather(*clients)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        while not sending.done():
            assert (await client.get("/health/live")).status_code == 200
            await asyncio.sleep(0.2)
    await sending
    grown = peak_mib(process) - before
    assert grown < MOST_MIB
