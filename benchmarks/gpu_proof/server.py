"""The whole server, as `make serve PROFILE=gpu` starts it, on free ports."""

import argparse
import base64
import contextlib
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_proof.steps.repository import FOLDER
from benchmarks.sessions.pictures import Messages, swaying

# Without the proxies of `http_proxy`, which cannot reach this machine's ports.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_HEIGHT = 720  # of the camera's frames, in pixels


class ServerEnded(RuntimeError):
    """The server ended before it was ready."""


@dataclass(frozen=True)
class Server:
    """ready_s: from its start until /health says that the model is loaded."""

    port: int
    metrics_port: int
    ready_s: float

    @property
    def sockets(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def capture(self, body: bytes, timeout_s: float) -> dict:
        """The answer to one capture."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/virtual-tryon", body, {"content-type": "application/json"}
        )
        with _DIRECT.open(request, timeout=timeout_s) as answer:
            found: dict = json.load(answer)
        return found

    def network_calls(self, network: str) -> tuple[float, float] | None:
        """(rows, calls) of a network since the start, from Triton's metrics; None if it tells none."""
        with _DIRECT.open(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        return counted(text, network)


def counted(metrics: str, network: str) -> tuple[float, float] | None:
    found = []
    for name in ("lucy_network_rows_total", "lucy_network_calls_total"):
        values = re.findall(rf'^{name}{{[^}}]*model="{network}"[^}}]*}} (\S+)$', metrics, re.MULTILINE)
        if not values:
            return None
        found.append(sum(map(float, values)))
    return found[0], found[1]


@contextmanager
def running_server(args: argparse.Namespace, folder: Path) -> Iterator[Server]:
    """Raises ServerEnded with the end of its output, or TimeoutError at the step's own deadline."""
    folder.mkdir(parents=True, exist_ok=True)
    port, grpc_port, metrics_port = free_ports(3)
    log = folder / "serve.log"
    given = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "CATALOG_DIR": str(folder / "catalog"),
        "RESULTS_DIR": str(folder / "pictures"),
        "GPU_RUNTIME": "torch",
        "GPU_DEVICE": args.device,
        "LOG_LEVEL": "warning",
    }
    began = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "serving", "--profile=gpu"),
                f"--repository={args.work / FOLDER}",
                f"--build={folder}",
                f"--triton-grpc-port={grpc_port}",
                f"--triton-metrics-port={metrics_port}",
            ],
            env={**os.environ, **given},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while not _is_loaded(port):
            if process.poll() is not None:
                raise ServerEnded(f"the server ended: {end_of(log, folder)}")
            if time.monotonic() > args.deadline - 5:
                raise TimeoutError(f"the server was not ready in time: {end_of(log, folder)}")
            time.sleep(0.2)
        yield Server(port, metrics_port, round(time.monotonic() - began, 1))
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_loaded(port: int) -> bool:
    try:
        with _DIRECT.open(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(json.load(answer)["ai_model_loaded"])
    except (urllib.error.URLError, OSError, ValueError):
        return False


def end_of(*places: Path) -> str:
    """The last lines of the logs, for the report: nobody can look at that machine later."""
    logs = [
        path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*.log")))
    ]
    lines = []
    for path in dict.fromkeys(logs):
        with contextlib.suppress(OSError):
            lines += [f"{path.name}: {line}" for line in path.read_text(errors="replace").splitlines()[-6:]]
    return " | ".join(lines)[-900:]


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def keyframe_messages() -> Messages:
    """The recorded keyframe, shifted a little each time, so that no answer is used again."""
    return Messages(swaying(_HEIGHT))


def capture_bodies() -> list[bytes]:
    """Captures of the same pictures; a seed each keeps them apart."""
    return [
        json.dumps({"user_image": frame, "jacket_render": render, "pose": None, "seed": seed}).encode()
        for seed, (frame, render) in enumerate(swaying(_HEIGHT))
    ]


def picture_of(data_uri: str) -> bytes:
    return base64.b64decode(data_uri.partition(",")[2])
