"""How long `python -m serving` takes until `/health` says that the model is loaded, and what it costs.

python -m benchmarks.start                        # five starts of this checkout
python -m benchmarks.start --other ../older       # in turns with an older checkout, after `make setup` there

The tests' exported repository is served, with each checkout's own model.py. Run it on an idle machine; beside
other work only the processor time and the ratio say something.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.command_line import run
from benchmarks.sessions.servers import Server
from tests.repository import ROOT, prepared_repository
from tests.stack import free_ports

WITHIN_S = 120
SETTLED_S = 3  # after which memory is read


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--other", type=Path, help="the folder of another checkout")
    parser.add_argument("--starts", type=int, default=5, help="of each (default: %(default)s)")
    args = parser.parse_args()
    checkouts = [ROOT] if args.other is None else [args.other.resolve(), ROOT]
    exported = prepared_repository()
    found: dict[Path, list[tuple[float, ...]]] = {it: [] for it in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        for number, checkout in enumerate(checkouts):
            _lay_out(checkout, exported, Path(folder, str(number)))
        for _ in range(args.starts):
            for number, checkout in enumerate(checkouts):
                found[checkout].append(_start(checkout, Path(folder, str(number))))
                print(checkout.name, _line(found[checkout][-1]), flush=True)
    for checkout, starts in found.items():
        medians = [statistics.median(column) for column in zip(*starts, strict=True)]
        print(f"median of {checkout.name}: {_line(medians)}")


def _line(figures: Sequence[float]) -> str:
    processor_s, ready_s, memory_mb = figures
    return f"{processor_s:.2f} s of processor time, ready after {ready_s:.2f} s, {memory_mb:.0f} MB"


def _lay_out(checkout: Path, exported: Path, folder: Path) -> None:
    """The exported repository with the checkout's adapters, and the checkout's bytecode."""
    shutil.copytree(exported, folder / "models")
    for adapter in checkout.glob("model_repository/*/1/model.py"):
        shutil.copy(adapter, folder / "models" / adapter.relative_to(checkout / "model_repository"))
    packages = [str(it.parent) for it in checkout.glob("*/__init__.py")]
    compiling = [_python(checkout), "-m", "compileall", "-q", *packages]
    subprocess.run(compiling, check=True, stdout=subprocess.DEVNULL)


def _python(checkout: Path) -> str:
    return sys.executable if checkout == ROOT else str(checkout / ".venv" / "bin" / "python")


def _start(checkout: Path, folder: Path) -> tuple[float, float, float]:
    """Seconds of processor time and of the clock until it is ready, and MB of proportional set size then."""
    port, grpc, metrics = free_ports(3)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
        "PORT": str(port),
        "CATALOG_DIR": str(folder / "catalog"),
    }
    command = [_python(checkout), "-m", "serving", f"--repository={folder / 'models'}", f"--build={folder}"]
    ports = [f"--triton-grpc-port={grpc}", f"--triton-metrics-port={metrics}"]
    began = time.perf_counter()
    log = folder / "start.log"
    with log.open("wb") as output:
        process = psutil.Popen(
            [*command, *ports], cwd=checkout, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        while not _is_loaded(port):
            if process.poll() is not None or time.perf_counter() - began > WITHIN_S:
                sys.exit(f"{checkout} did not start:\n{log.read_text()}")
            time.sleep(0.05)
        ready_s = time.perf_counter() - began
        # Those that have ended count with their parents.
        processor_s = sum(sum(it.cpu_times()[:4]) for it in (process, *process.children(recursive=True)))
        time.sleep(SETTLED_S)
        return processor_s, ready_s, Server(checkout.name, "", process, ready_s).memory_mb()
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended itself
            process.send_signal(signal.SIGINT)
        process.wait()


def _is_loaded(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(json.load(answer)["ai_model_loaded"])
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(run("start", main))
