"""A proxy and its Triton, each pinned to its own cores, and the proxy's own metrics."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
import psutil

from serving.triton_server import TritonServer
from tests.stack import free_ports


@dataclass(frozen=True)
class Served:
    """The addresses of a proxy and its Triton."""

    address: str
    triton: str
    proxy: psutil.Process

    @property
    def sockets(self):
        return f"ws://{self.address}/ws"


@contextmanager
def serving(repository, folder):
    """Run both on free ports until the context ends."""
    port, grpc, metrics = free_ports(3)
    models = (
        () if (repository / "manifest.json").exists() else ("tryon",)
    )  # nothing is exported into a stand-in
    server = TritonServer(repository.resolve(), "cpu", grpc, None, metrics, folder, models=models)
    address = f"127.0.0.1:{port}"
    settings = {"HOST": "127.0.0.1", "PORT": str(port), "TRITON_URL": f"127.0.0.1:{grpc}",
                "LOG_LEVEL": "warning", "MAX_KEYFRAMES": "1000",
                "MAX_SOCKETS_PER_ADDRESS": "10000", "CATALOG_DIR": str(folder / "catalog"),
                "RESULTS_DIR": str(folder / "results")}  # fmt: skip
    with ExitStack() as stack:
        log = stack.enter_context((folder / "load.log").open("w"))
        *others, last = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, others or [last])
        for command, environment, cores in (
            (server.command(), server.environment(), others or [last]),
            ([sys.executable, "-m", "frontend_proxy"], {**os.environ, **settings}, [last]),
        ):
            process = subprocess.Popen(
                command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT
            )
            psutil.Process(process.pid).cpu_affinity(cores)
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
        stack.callback(server.remove_shared_memory)
        wait_for(f"http://{address}/health/ready", process, folder / "load.log")
        yield Served(address, f"127.0.0.1:{grpc}", psutil.Process(process.pid))


def wait_for(url, process, log, within=120):
    deadline = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{url} does not answer:\n{log.read_text()[-2000:]}") from error
            time.sleep(0.2)


def cpu(process):
    times = process.cpu_times()
    return times.user + times.system


async def scrape(served):
    async with httpx.AsyncClient() as client:
        return (await client.get(f"http://{served.address}/metrics")).text


async def gauge(served, name):
    return float(re.search(rf"^{name} (\S+)$", await scrape(served), re.MULTILINE)[1])


async def loop_lag(served):
    """The proxy's histogram of event loop lag: the number of samples up to each bound in seconds."""
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
