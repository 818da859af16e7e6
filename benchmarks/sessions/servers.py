"""The two servers that are compared, each on its own port, and the resources of their processes."""

import contextlib
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from tests.repository import prepared_repository
from tests.stack import READY_WITHIN, free_ports, running_stack

LUCY, BASELINE = "lucy", "old way"
STAGES = ("text_encoder", "vae_encoder", "unet", "vae_decoder")
PIXEL_WORK = ("preprocess", "postprocess")


@dataclass(frozen=True)
class Server:
    """ready_s: seconds from starting its command until it reports that the model is loaded."""

    name: str
    url: str
    process: psutil.Process
    ready_s: float
    triton_grpc: str | None = None

    @property
    def sockets(self) -> str:
        return self.url.replace("http", "ws", 1) + "/ws"

    def cpu_s(self) -> float:
        """Processor seconds of all its processes since they started."""
        total = 0.0
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:2])
        return total

    def memory_mb(self) -> float:
        """Proportional set size of all its processes: shared memory is counted once."""
        total = 0
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().pss
        return total / 1e6

    def stage_seconds(self) -> dict[str, float]:
        """Seconds that each model has computed since Triton started; empty if no Triton answers."""
        if self.triton_grpc is None:
            return {}
        try:
            with InferenceServerClient(self.triton_grpc) as client:
                models = client.get_inference_statistics(client_timeout=10).model_stats
        except InferenceServerException:  # it is restarting: a long measurement goes on
            return {}
        wanted = {*STAGES, *PIXEL_WORK}
        return {
            model.name: model.inference_stats.compute_infer.ns / 1e9
            for model in models
            if model.name in wanted
        }

    def _processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def lucy(folder: Path) -> Iterator[Server]:
    """Lucy Serve as `make serve` runs it, with its default settings."""
    prepared_repository()  # not a part of the start
    began = time.perf_counter()
    with running_stack(folder, LOG_LEVEL="warning") as stack:
        stack.wait_until(lambda health: health["ai_model_loaded"])
        ready_s = time.perf_counter() - began
        yield Server(LUCY, stack.url, psutil.Process(stack.process.pid), ready_s, stack.triton_grpc)


@contextmanager
def baseline(folder: Path, threads: int) -> Iterator[Server]:
    """The previous backend, with `threads` threads of torch."""
    (port,) = free_ports(1)
    log = folder / "baseline.log"
    command = [sys.executable, "-m", "benchmarks.baseline.server", f"--port={port}", f"--threads={threads}"]
    began = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=os.environ)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/health", process, log)
        yield Server(BASELINE, url, psutil.Process(process.pid), time.perf_counter() - began)
    finally:
        process.kill()  # when terminated, it would first answer everything that is queued
        process.wait()


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the previous backend does not answer:\n{log.read_text()[-2000:]}")


class MemoryWatch:
    """Samples a server's memory while a `with` block runs: seconds since its start, megabytes."""

    def __init__(self, server: Server, interval_s: float = 2.0):
        self._server, self._interval_s = server, interval_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.samples: list[tuple[float, float]] = []

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        began = time.perf_counter()
        while True:
            self.samples.append((time.perf_counter() - began, self._server.memory_mb()))
            if self._over.wait(self._interval_s):
                return
