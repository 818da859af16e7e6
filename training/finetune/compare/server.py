"""A checkpoint with or without a LoRA, exported and served in a folder of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from export.hand_written import copy_hand_written
from lucy_client import Lucy, LucyError

ROOT = Path(__file__).resolve().parents[3]
READY_WITHIN = 300  # seconds, on a busy machine


class NotServed(RuntimeError):
    """The export failed, or the server ended; the message has the last lines of its log."""


@contextmanager
def served(folder: Path, checkpoint: str, lora: Path | None, profile: str) -> Iterator[str]:
    """The base URL of a server of its own. checkpoint: as `export` takes it. Raises NotServed."""
    repository = folder / "models"
    copy_hand_written(repository)
    loras = [] if lora is None else [f"--loras={lora}"]
    options = [f"--repository={repository}", f"--profile={profile}", *loras]
    _export(folder, [*options, "--", checkpoint])
    port, grpc, metrics = _free_ports(3)
    log = folder / "serve.log"
    own = {"HOST": "127.0.0.1", "PORT": str(port), "CATALOG_DIR": str(folder / "catalog")}
    own["RESULTS_DIR"] = str(folder / "results")
    own |= {"KEYFRAME_TIMEOUT_S": "600", "CAPTURE_TIMEOUT_S": "3600"}  # for large checkpoints on a CPU, too
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "serving",
                    f"--repository={repository}",
                    f"--build={folder / 'build'}",
                ),
                *(f"--triton-grpc-port={grpc}", f"--triton-metrics-port={metrics}"),
            ],
            cwd=folder,  # where no .env changes its settings
            env=os.environ | own,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def _export(folder: Path, options: list[str]) -> None:
    log = folder / "export.log"
    with log.open("w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "export", *options], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
    if done.returncode:
        raise NotServed(f"the export failed:\n{_end(log)}")


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotServed(f"the server ended:\n{_end(log)}")
        try:
            with Lucy(url) as lucy:
                if lucy.health().ai_model_loaded:
                    return
        except LucyError:
            pass
        time.sleep(0.5)
    raise NotServed(f"the server was not ready within {READY_WITHIN} s:\n{_end(log)}")


def _end(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-12:])


def _free_ports(count: int) -> list[int]:
    with ExitStack() as sockets:
        opened = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in opened]
