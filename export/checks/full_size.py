"""`make check-tensorrt FULL=1`: networks of SD1.5's and SDXL's size, with random weights, one by one.

Each is exported and compiled in processes of its own, so that memory is given back, and its ONNX is removed
when it has compiled. What has is kept in `results.json`: a run that was cut off goes on where it was. A
network that does not fit into the free memory is left out, which is said and makes the run fail.
"""

import argparse
import gc
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from export.checks.tensorrt import write_manifest

GB = 1e9
BYTES = {"fp16": 2, "fp32": 4}
# Of what the builder holds, by the weights' size: 3.2 in single precision, up to 3.7 in half.
MEMORY_PER_WEIGHT = 3.7
MEMORY_BESIDE = 0.6 * GB


@dataclass(frozen=True)
class Network:
    """One stage of "sd15", "sdxl" or "sdxl-shallow" (see `full_size`).

    parameters: how many it has, in millions.
    """

    checkpoint: str
    precision: str
    stage: str
    parameters: int

    @property
    def name(self) -> str:
        return f"{self.checkpoint} {self.precision} {self.stage}"

    @property
    def memory(self) -> float:
        """Bytes that compiling it takes, about; exporting it takes less."""
        return 1e6 * self.parameters * BYTES[self.precision] * MEMORY_PER_WEIGHT + MEMORY_BESIDE


def _networks(checkpoint: str, precision: str, unet: str, parameters: int) -> tuple[Network, ...]:
    return (
        Network(checkpoint, precision, "vae_encoder", 34),
        Network(checkpoint, precision, "vae_decoder", 50),
        Network(unet, precision, "unet", parameters),
    )


# SDXL's whole UNet in single precision would take 34 GB to compile. Its transformer layers repeat: two of ten
# have every operator, type and shape.
NETWORKS = (
    *_networks("sd15", "fp16", "sd15", 860),
    *_networks("sd15", "fp32", "sd15", 860),
    *_networks("sdxl", "fp16", "sdxl", 2567),
    *_networks("sdxl", "fp32", "sdxl-shallow", 900),
)


class Results:
    """What has compiled, for as long as torch and TensorRT-RTX stay the same."""

    def __init__(self, path: Path, versions: list[str]) -> None:
        self._path = path
        self._versions = versions
        try:
            kept = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            kept = {}
        self.told: dict[str, str] = kept["networks"] if kept.get("versions") == versions else {}

    def add(self, network: Network, told: str) -> None:
        self.told[network.name] = told
        self._path.write_text(json.dumps({"versions": self._versions, "networks": self.told}, indent=2))


def check(folder: Path, compiler: str) -> int:
    """Returns how many networks have not compiled. compiler: the Python of TensorRT-RTX's environment."""
    folder.mkdir(parents=True, exist_ok=True)
    results = Results(folder / "results.json", [importlib.metadata.version("torch"), _version(compiler)])
    missing = 0
    for number, network in enumerate(NETWORKS, 1):
        _say(f"[{number}/{len(NETWORKS)}] {network.name}")
        if told := results.told.get(network.name):
            _say(f"    before: {told}")
            continue
        if (free := free_memory()) < network.memory:
            needs = f"it takes {network.memory / GB:.1f} GB of memory, and {free / GB:.1f} are free"
            _say(f"!!  left out: {needs}")
            missing += 1
            continue
        _remove_all_but(folder, network)
        told = ""
        if not (folder / network.name / "manifest.json").exists():
            export_it = [sys.executable, "-m", "export.checks.full_size", "export", str(folder)]
            told = run([*export_it, "--network", network.name])
        compile_it = [compiler, "-m", "export.checks.tensorrt", "compile", str(folder)]
        compiled = None if told is None else run(compile_it)
        if compiled is None:
            missing += 1
            continue
        results.add(network, f"export {told or 'before'}; two targets {compiled}")
        _say(f"    {results.told[network.name]}")
        shutil.rmtree(folder / network.name)
    _say(f"{len(NETWORKS) - missing} of {len(NETWORKS)} networks compiled")
    return missing


def export(folder: Path, network: Network) -> None:
    """Its ONNX, in the layout of a model repository; the manifest comes last."""
    import torch

    from export.checks.full_size_networks import describe_stage
    from export.onnx_export import write_onnx

    began = time.perf_counter()

    def on_progress(doing: str) -> None:
        _say(f"    {time.perf_counter() - began:5.0f} s  {doing}")

    repository = folder / network.name
    shutil.rmtree(repository, ignore_errors=True)
    place = repository / network.stage / "1"
    place.mkdir(parents=True)
    on_progress("random weights")
    dtype = torch.float16 if network.precision == "fp16" else torch.float32
    stage = describe_stage(network.checkpoint, network.stage, dtype)
    gc.collect()
    on_progress("trace")
    write_onnx(stage, place, on_progress)
    write_manifest(repository, {network.stage: {"buckets": stage.buckets}})


def run(command: list[str]) -> str | None:
    """Its time and largest memory in words; None where it failed, of which it has said why itself."""
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        how = "was killed, most likely for memory" if process.returncode == -9 else "failed"
        _say(f"!!  {' '.join(command[1:4])} {how} after {usage.ru_maxrss / 1e6:.1f} GB")
        return None
    return f"{time.perf_counter() - began:.0f} s, {usage.ru_maxrss / 1e6:.1f} GB"


def free_memory() -> float:
    """Bytes that a new process can have without swapping."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return 1024.0 * int(lines["MemAvailable"].split()[0])


def _version(compiler: str) -> str:
    code = "import tensorrt_rtx; print(tensorrt_rtx.__version__)"
    return subprocess.run([compiler, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _remove_all_but(folder: Path, network: Network) -> None:
    """What a run that was cut off has left, gigabytes that `compile` would take for this one's."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != network.name:
            shutil.rmtree(path)


def _say(line: str) -> None:
    print(line, flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export.checks.full_size", description=__doc__)
    parser.add_argument("do", choices=["check", "export"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compiler", help="check: the Python of TensorRT-RTX's environment")
    parser.add_argument("--network", choices=[it.name for it in NETWORKS], help="export: which")
    args = parser.parse_args(argv)
    if args.do == "check":
        if args.compiler is None:
            parser.error("check needs --compiler")
        return min(check(args.folder, args.compiler), 1)
    if args.network is None:
        parser.error("export needs --network")
    export(args.folder, next(it for it in NETWORKS if it.name == args.network))
    return 0


if __name__ == "__main__":
    sys.exit(main())
