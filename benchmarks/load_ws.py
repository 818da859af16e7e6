"""What the proxy costs and holds: sockets with keyframes, beside captures, before a real Triton.

    python -m benchmarks.load_ws                        # all of it, on a stand-in for the model
    python -m benchmarks.load_ws --repository model_repository --sockets 4 --closed --captures 1

`benchmarks/stand_in` is a model `tryon` that waits instead of computing, so that what is measured is the
proxy. It has the last core to itself; Triton and the load generator share the others. Where there are few,
the clients' latencies are the generator's, too; the loop's lag is the proxy's own.
"""

import argparse
import asyncio
import base64
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgpack
import psutil
from websockets.asyncio.client import connect

from frontend_proxy.jobs import Job, run_to_result
from frontend_proxy.triton.client import Triton
from serving.triton_server import TritonServer
from tests.stack import free_ports

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "data" / "keyframes" / "transparent_no_pose"  # 1280×720
FRAME, RENDER = ((FOLDER / name).read_bytes() for name in ("camera_frame.jpg", "jacket_render.png"))

POSE = {"landmarks": [{"x": 0.5, "y": i / 40, "z": -0.1, "visibility": 0.95} for i in range(33)]}


@dataclass(frozen=True)
class Served:
    """A proxy before a Triton."""

    address: str
    triton: str
    proxy: psutil.Process

    @property
    def sockets(self):
        return f"ws://{self.address}/ws"


@contextmanager
def serving(repository, folder):
    """Both on free ports, until the context ends."""
    port, grpc, http, metrics = free_ports(4)
    server = TritonServer(repository.resolve(), "cpu", grpc, http, metrics, folder)
    address = f"127.0.0.1:{port}"
    settings = {"HOST": "127.0.0.1", "PORT": str(port), "TRITON_URL": f"127.0.0.1:{grpc}",
                "LOG_LEVEL": "warning", "MAX_KEYFRAMES": "1000",
                "MAX_SOCKETS_PER_ADDRESS": "10000", "CATALOG_DIR": str(folder)}  # fmt: skip
    with ExitStack() as stack:
        log = stack.enter_context((folder / "load.log").open("w"))
        *others, last = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, others or [last])
        for command, environment, cores in (
            (server.command(), server.environment(), others or [last]),
            ([sys.executable, "-m", "frontend_proxy"], {**os.environ, **settings}, [last]),
        ):
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
            psutil.Process(process.pid).cpu_affinity(cores)
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
        stack.callback(server.remove_shared_memory)
        for url in (f"http://127.0.0.1:{http}/v2/models/tryon/ready", f"http://{address}/health/ready"):
            wait_for(url, folder / "load.log")
        yield Served(address, f"127.0.0.1:{grpc}", psutil.Process(process.pid))


def wait_for(url, log, within=120):
    deadline = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{url} does not answer:\n{log.read_text()[-2000:]}") from error
            time.sleep(0.2)


class Client:
    """One socket's keyframes. Every one has a seed of its own, so that no answer is reused."""

    def __init__(self, socket, binary):
        self.socket, self._binary = socket, binary
        frame, render = (FRAME, RENDER) if binary else map(_text, (FRAME, RENDER))
        self._message = {"type": "keyframe", "camera_frame": frame, "jacket_render": render, "pose": POSE,
                         "fabric_id": "denim-blue"}  # fmt: skip

    @classmethod
    @asynccontextmanager
    async def dial(cls, served, binary):
        protocol = "lucy.msgpack.v1" if binary else "lucy.json.v1"
        async with connect(
            served.sockets, subprotocols=[protocol], max_size=None, compression=None
        ) as socket:
            yield cls(socket, binary)

    def encoded(self, number, **fields):
        message = {**self._message, "timestamp": number, "seed": number, **fields}
        return msgpack.packb(message) if self._binary else json.dumps(message)

    def decoded(self, data):
        return msgpack.unpackb(data) if self._binary else json.loads(data)

    async def send(self, number):
        await self.socket.send(self.encoded(number))

    async def receive(self):
        return self.decoded(await self.socket.recv())


def _text(image):
    return base64.b64encode(image).decode()


@dataclass
class Tally:
    """What the clients saw. `latencies` in milliseconds."""

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
    """The next keyframe as soon as the last is answered."""
    while time.monotonic() < until:
        tally.sent += 1
        began = time.perf_counter()
        await client.send(tally.sent)
        tally.count(await client.receive(), began)


async def open_loop(client, tally, until, interval):
    """A keyframe every `interval` seconds, like the frontend: it awaits no answer."""
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
    body = {"user_image": _text(FRAME), "jacket_render": _text(RENDER), "pose": None}
    async with httpx.AsyncClient(timeout=120) as client:
        while time.monotonic() < until:
            began = time.perf_counter()
            (await client.post(f"http://{served.address}/virtual-tryon", json=body)).raise_for_status()
            tally.captures.append(1000 * (time.perf_counter() - began))


async def load(served, *, sockets, interval, captures, seconds, binary):
    """`interval` None is the closed loop."""
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


async def own_cost(served, rounds):
    """Round trips through the proxy and of the same job straight to Triton, in turns, one at a time."""
    triton = Triton(served.triton)
    job = Job("direct", "keyframe", FRAME, RENDER, "jpeg", 1, steps=1)
    costs = {}
    for name, binary in (("msgpack", True), ("json", False)):
        through, direct = [], []
        async with Client.dial(served, binary) as client:
            for number in range(rounds + 5):
                message = client.encoded(number, steps=1)
                began = time.perf_counter()
                await client.socket.send(message)
                data = await client.socket.recv()
                took = time.perf_counter() - began
                through.append(1000 * took - client.decoded(data)["latency_ms"]["denoise"])
                began = time.perf_counter()
                report = (await run_to_result(triton, job, 10)).report
                direct.append(1000 * (time.perf_counter() - began) - report.latency_ms["denoise"])
        through, direct = through[5:], direct[5:]
        costs[name] = {
            "through_proxy_p50_ms": round(statistics.median(through), 2),
            "straight_to_triton_p50_ms": round(statistics.median(direct), 2),
            "proxy_p50_ms": round(statistics.median(through) - statistics.median(direct), 2),
        }
    await triton.close()
    return costs


def percentiles(milliseconds):
    ranked = sorted(milliseconds) or [float("nan")]
    return {f"p{p}_ms": round(ranked[min(len(ranked) - 1, p * len(ranked) // 100)], 1) for p in (50, 90, 99)}


def cpu(served):
    times = served.proxy.cpu_times()
    return times.user + times.system


async def scrape(served):
    async with httpx.AsyncClient() as client:
        return (await client.get(f"http://{served.address}/metrics")).text


async def gauge(served, name):
    return float(re.search(rf"^{name} (\S+)$", await scrape(served), re.MULTILINE)[1])


async def loop_lag(served):
    """The proxy's own histogram of how late its timers are: samples at most so many seconds late."""
    found = re.findall(r'lucy_event_loop_lag_seconds_bucket\{le="(\S+)"\} (\S+)', await scrape(served))
    return {float(bound): float(count) for bound, count in found}


def lag_between(before, after):
    counts = {bound: after[bound] - before.get(bound, 0) for bound in after}
    total = counts[float("inf")]
    p99 = next(bound for bound, count in sorted(counts.items()) if count >= 0.99 * total)
    return {
        "samples": int(total),
        "p99_at_most_ms": 1000 * p99,
        "share_over_20_ms": round(1 - counts[0.02] / total, 4),
    }


async def measure(served, args):
    if args.sockets:
        options = {"captures": args.captures, "seconds": args.seconds, "binary": args.format == "msgpack"}
        interval = None if args.closed else args.interval
        return {"load": [await load(served, sockets=args.sockets, interval=interval, **options)]}
    result = {"own_cost": await own_cost(served, rounds=100), "load": []}
    for sockets, interval, captures, binary in (
        *((4, None, 0, True), (4, None, 0, False), (4, None, 2, True)),
        *((100, args.interval, 2, True), (500, args.interval, 0, True), (500, args.interval, 0, False)),
    ):
        options = {"captures": captures, "seconds": args.seconds, "binary": binary}
        result["load"].append(await load(served, sockets=sockets, interval=interval, **options))
        print(json.dumps(result["load"][-1]), flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repository", type=Path, default=ROOT / "benchmarks" / "stand_in")
    parser.add_argument("--sockets", type=int, help="one load of so many sockets; by default several")
    parser.add_argument("--interval", type=float, default=1.5, help="seconds between a socket's keyframes")
    parser.add_argument("--closed", action="store_true", help="each socket awaits its answer instead")
    parser.add_argument("--captures", type=int, default=0, help="captures at once beside the sockets")
    parser.add_argument("--format", choices=["msgpack", "json"], default="msgpack")
    parser.add_argument("--seconds", type=float, default=15, help="of each load (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="write the result as JSON here, too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(args.repository, Path(folder)) as served:
        result = asyncio.run(measure(served, args))
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    result |= {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "load_average": os.getloadavg()[0],
        "commit": commit.stdout.strip(),
    }
    text = json.dumps(result, indent=2) + "\n"
    if args.output:
        args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
