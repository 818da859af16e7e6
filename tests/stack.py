"""The real stack on ports of its own, for end-to-end tests, the demo and benchmarks."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

READY_WITHIN = 120  # seconds, on a machine that is busy with other things too


@dataclass(frozen=True)
class Stack:
    url: str
    triton_grpc: str
    triton_http: str
    process: subprocess.Popen
    log: Path

    def health(self):
        with urllib.request.urlopen(f"{self.url}/health", timeout=5) as response:
            return json.load(response)

    @property
    def proxy(self):
        """The proxy's own process."""
        return self._find(lambda child: child.cmdline()[-1:] == ["frontend_proxy"])

    @property
    def triton(self):
        return self._find(lambda child: child.name() == "tritonserver")

    def _find(self, wanted):
        return next(
            child for child in psutil.Process(self.process.pid).children(recursive=True) if wanted(child)
        )

    def wait_until(self, condition, within=READY_WITHIN):
        """Poll /health until `condition` of it holds."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the stack ended:\n{self.log.read_text()}")
            try:
                if condition(self.health()):
                    return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.2)
        raise TimeoutError(f"not within {within} s:\n{self.log.read_text()}")


def free_ports(count):
    with ExitStack() as sockets:
        opened = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in opened]


@contextmanager
def running_stack(folder, *options, **environment):
    """Start the stack with its own ports and build folder; end it as Ctrl-C would.

    options: further ones of `serving`.
    """
    port, grpc, http, metrics = free_ports(4)
    log = folder / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving", f"--build={folder}",
             f"--triton-grpc-port={grpc}", f"--triton-http-port={http}", f"--triton-metrics-port={metrics}",
             *options],
            env={**os.environ, "HOST": "127.0.0.1", "PORT": str(port), "CATALOG_DIR": str(folder / "catalog"),
                 "RESULTS_DIR": str(folder / "results"), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    stack = Stack(f"http://127.0.0.1:{port}", f"127.0.0.1:{grpc}", f"http://127.0.0.1:{http}", process, log)
    try:
        yield stack
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
