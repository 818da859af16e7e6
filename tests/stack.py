"""The real stack on free ports, for end-to-end tests, the demo and benchmarks."""

import json
import os
import re
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

import grpc
import psutil
from tritonclient.grpc import service_pb2, service_pb2_grpc

from frontend_proxy.web.listen import url_host
from tests.repository import prepared_repository

READY_WITHIN = 120  # seconds, also on a busy machine
# Without the proxies of `http_proxy`: they cannot reach this machine's ports.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StackEnded(RuntimeError):
    """reason: the last line of the stack's output."""

    def __init__(self, output):
        super().__init__(f"the stack ended:\n{output}")
        self.reason = output.strip().rpartition("\n")[2]


@dataclass(frozen=True)
class Stack:
    url: str
    triton_grpc: str
    triton_metrics: int
    process: subprocess.Popen
    log: Path

    def health(self):
        with DIRECT.open(f"{self.url}/health", timeout=5) as response:
            return json.load(response)

    def inferences(self, model):
        """Rows that `model` has computed so far."""
        if found := network_statistics(self.triton_metrics, model):
            return found[0]
        return sum(it.inference_count for it in triton_statistics(self.triton_grpc, model))

    @property
    def proxy(self):
        """The proxy's main process."""
        return self._find(lambda child: child.cmdline()[-1:] == ["frontend_proxy"])

    @property
    def triton(self):
        return self._find(lambda child: child.name() == "tritonserver")

    def _find(self, matches):
        return next(
            child for child in psutil.Process(self.process.pid).children(recursive=True) if matches(child)
        )

    def wait_until(self, condition, within=READY_WITHIN):
        """Poll /health until `condition` of its body holds."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise StackEnded(self.log.read_text())
            try:
                if condition(self.health()):
                    return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.2)
        raise TimeoutError(f"not within {within} s:\n{self.log.read_text()}")


def triton_statistics(address, model=""):
    """Triton's statistics of one model, or of every model."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        return stub.ModelStatistics(service_pb2.ModelStatisticsRequest(name=model), timeout=10).model_stats


def network_statistics(port, model):
    """(rows, calls) of a network inside `tryon`, from Triton's /metrics; None if it is a model of Triton."""
    with DIRECT.open(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        text = response.read().decode()
    found = dict(re.findall(rf'^lucy_network_(\w+)_total{{model="{model}"}} (\S+)$', text, re.MULTILINE))
    return (int(float(found["rows"])), int(float(found["calls"]))) if found else None


def free_ports(count):
    with ExitStack() as sockets:
        opened = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in opened]


@contextmanager
def running_stack(folder, *options, **environment):
    """Start the stack with its own ports and build folder; end it as Ctrl-C would.

    options: further options of `python -m serving`; without --repository the tests' own is served.
    environment: settings; HOST is 127.0.0.1 by default.
    """
    port, grpc_port, metrics_port = free_ports(3)
    log = folder / "serve.log"
    if not any(option.startswith("--repository") for option in options):
        options = (f"--repository={prepared_repository()}", *options)
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving", f"--build={folder}",
             f"--triton-grpc-port={grpc_port}", f"--triton-metrics-port={metrics_port}", *options],
            cwd=folder,  # where no .env changes its settings
            env={**os.environ, "HOST": "127.0.0.1", "PORT": str(port), "CATALOG_DIR": str(folder / "catalog"),
                 "RESULTS_DIR": str(folder / "results"), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    url = f"http://{url_host(environment.get('HOST', '127.0.0.1'))}:{port}"
    stack = Stack(url, f"127.0.0.1:{grpc_port}", metrics_port, process, log)
    try:
        yield stack
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
