"""NVIDIA's perf_analyzer: finds or installs it, and calls it.

Triton's containers have it. The newest wheel needs a newer C library than most machines have; the one inside
tritonclient 2.50 only needs libb64 (Debian) and CUDA's runtime (PyPI) in addition.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_WHEELS = ("tritonclient==2.50.0", "nvidia-cuda-runtime-cu12==12.9.79")
_DEBIAN = "libb64-0d"
_TRIALS = 6
_WITHIN_S = 600  # of one sweep


@dataclass(frozen=True)
class Command:
    path: Path
    libraries: Sequence[Path] = ()

    def environment(self) -> dict[str, str]:
        found = [*map(str, self.libraries), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(found)}


def locate(folder: Path) -> Command:
    """perf_analyzer from PATH, or installed into `folder`.

    Raises CalledProcessError or OSError if a package cannot be downloaded.
    """
    if path := shutil.which("perf_analyzer"):
        return Command(Path(path))
    program = folder / "tritonclient-2.50.0.data" / "data" / "bin" / "perf_analyzer"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*download, "--only-binary=:all:", *_WHEELS], check=True)
        subprocess.run(["apt-get", "download", _DEBIAN], cwd=folder, check=True, capture_output=True)
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", package.name, "."], cwd=folder, check=True)
        for wheel in folder.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
        program.chmod(0o755)
    return Command(program.resolve(), [path.resolve().parent for path in _libraries(folder)])


def _libraries(folder: Path) -> list[Path]:
    return [next(folder.rglob(name)) for name in ("libb64.so.0d", "libcudart.so.12")]


class Unstable(Exception):
    """No figure: no two windows of a measurement agreed, or it took too long: the machine had other work."""


class PerfAnalyzer:
    def __init__(self, command: Command, address: str):
        self._command, self._address = command, address

    def run(
        self,
        model: str,
        inputs: dict[str, np.ndarray],
        csv: Path,
        *,
        batch: int | None = None,
        concurrency: str = "1",
        streaming: bool = False,
    ) -> None:
        """Measure `model` with these inputs; the figures go to the file `csv`.

        batch: rows of a request for a model that batches (its inputs have a leading axis of 1), else None.
        concurrency: `first:last:step` of the number of concurrent requests.
        Raises Unstable if the figures are not stable; `csv` then has those that are, if any.
        """
        csv.unlink(missing_ok=True)
        data = csv.with_suffix(".json")
        data.write_text(json.dumps({"data": [_document(inputs, batched=batch is not None)]}))
        arguments = [
            *("-m", model, "-u", self._address, "-i", "grpc", "--input-data", data, "-f", csv),
            *("--concurrency-range", concurrency, "--measurement-interval", "4000"),
            *("--stability-percentage", "50", "--max-trials", str(_TRIALS), "--percentile", "50"),
            *(("-b", str(batch)) if batch else ()),
            *(("--streaming",) if streaming else ("--async",)),
        ]
        try:
            done = subprocess.run(
                [self._command.path, *arguments],
                env=self._command.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_WITHIN_S,
            )
        except subprocess.TimeoutExpired as error:
            raise Unstable(f"{model}: not done within {_WITHIN_S} s") from error
        if "Failed to obtain stable measurement" in done.stdout:
            raise Unstable(f"{model}: not stable within {_TRIALS} windows")
        if done.returncode:
            raise SystemExit(f"perf_analyzer failed on {model}:\n{done.stdout[-3000:]}")


def _document(inputs: dict[str, np.ndarray], batched: bool) -> dict:
    """One request in perf_analyzer's input format: raw little-endian bytes, or text for strings."""
    document = {}
    for name, array in inputs.items():
        shape = list(array.shape[1:] if batched else array.shape)
        if array.dtype == np.object_:
            document[name] = {"content": [value.decode() for value in array], "shape": shape}
        else:
            content = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
            document[name] = {"content": {"b64": content}, "shape": shape}
    return document
