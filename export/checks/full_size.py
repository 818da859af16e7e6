"""`make check-tensorrt FULL=1`: compiles the families' networks at their real size, with random weights.

Each network is exported and compiled in its own processes, which return their memory, and its ONNX file is
deleted after it has compiled. `results.json` keeps the results, so that an interrupted run continues. A
network that does not fit into the free memory is skipped with a message, and the run fails.
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

from export.checks.tensorrt import write_batch_ranges, write_manifest
from families import registry

GB = 1e9
BYTES = {"fp16": 2, "fp32": 4}
# The builder's memory relative to the size of the weights: 3.2 in single precision, up to 3.7 in half.
MEMORY_PER_WEIGHT = 3.7
MEMORY_BESIDE = 0.6 * GB


@dataclass(frozen=True)
class Network:
    """One stage of a family's real size.

    parameters: in millions.
    """

    family: str
    precision: str
    stage: str
    parameters: int

    @property
    def name(self) -> str:
        return f"{self.family} {self.precision} {self.stage}"

    @property
    def memory(self) -> float:
        """The bytes that compiling takes, roughly; exporting takes less."""
        return 1e6 * self.parameters * BYTES[self.precision] * MEMORY_PER_WEIGHT + MEMORY_BESIDE


def all_networks() -> tuple[Network, ...]:
    """Every stage of every family that has a module `full_size`, in both precisions."""
    found = []
    for family in registry.FAMILIES:
        if (module := registry.full_size(family)) is None:
            continue
        for precision in ("fp16", "fp32"):
            fewer = getattr(module, "IN_SINGLE", {}) if precision == "fp32" else {}
            sizes = {**module.STAGES, **fewer}
            found += [Network(family, precision, stage, size) for stage, size in sizes.items()]
    return tuple(found)


class Results:
    """The networks that have compiled with the current versions of torch and TensorRT-RTX."""

    def __init__(self, path: Path, versions: list[str]) -> None:
        self._path = path
        self._versions = versions
        try:
            kept = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            kept = {}
        self.compiled: dict[str, str] = kept["networks"] if kept.get("versions") == versions else {}

    def add(self, network: Network, result: str) -> None:
        self.compiled[network.name] = result
        self._path.write_text(json.dumps({"versions": self._versions, "networks": self.compiled}, indent=2))


def check(folder: Path, compiler: str) -> int:
    """Returns the number of networks that did not compile. compiler: TensorRT-RTX's Python."""
    write_batch_ranges(folder)
    results = Results(folder / "results.json", [importlib.metadata.version("torch"), _version(compiler)])
    missing, networks = 0, all_networks()
    for number, network in enumerate(networks, 1):
        _print(f"[{number}/{len(networks)}] {network.name}")
        if earlier := results.compiled.get(network.name):
            _print(f"    in an earlier run: {earlier}")
            continue
        if (free := free_memory()) < network.memory:
            needs = f"it needs {network.memory / GB:.1f} GB of memory, and {free / GB:.1f} are free"
            _print(f"!!  skipped: {needs}")
            missing += 1
            continue
        _remove_all_but(folder, network)
        exported: str | None = "in an earlier run"
        if not (folder / network.name / "manifest.json").exists():
            export_command = [sys.executable, "-m", "export.checks.full_size", "export", str(folder)]
            exported = run([*export_command, "--network", network.name])
        compile_command = [compiler, "-m", "export.checks.tensorrt", "compile", str(folder)]
        compiled = None if exported is None else run(compile_command)
        if compiled is None:
            missing += 1
            continue
        results.add(network, f"export {exported}; two targets {compiled}")
        _print(f"    {results.compiled[network.name]}")
        shutil.rmtree(folder / network.name)
    _print(f"{len(networks) - missing} of {len(networks)} networks compiled")
    return missing


def export(folder: Path, network: Network) -> None:
    """Write the network's ONNX file in the layout of a model repository; the manifest is written last."""
    import torch

    from export.onnx_export import write_onnx

    began = time.perf_counter()

    def on_progress(doing: str) -> None:
        _print(f"    {time.perf_counter() - began:5.0f} s  {doing}")

    repository = folder / network.name
    shutil.rmtree(repository, ignore_errors=True)
    model = repository / network.stage / "1"
    model.mkdir(parents=True)
    on_progress("random weights")
    dtype = torch.float16 if network.precision == "fp16" else torch.float32
    module = registry.full_size(network.family)
    assert module is not None
    stage = module.describe_stage(network.stage, dtype)
    gc.collect()
    on_progress("trace")
    write_onnx(stage, model, on_progress)
    write_manifest(repository, {network.stage: {"buckets": stage.buckets, "max_batch": stage.max_batch}})


def run(command: list[str]) -> str | None:
    """The command's time and peak memory as text; None if it failed, after it printed why."""
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        how = "was killed, most likely for lack of memory" if process.returncode == -9 else "failed"
        _print(f"!!  {' '.join(command[1:4])} {how} after {usage.ru_maxrss / 1e6:.1f} GB")
        return None
    return f"{time.perf_counter() - began:.0f} s, {usage.ru_maxrss / 1e6:.1f} GB"


def free_memory() -> float:
    """The bytes that a new process can allocate without swapping."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return 1024.0 * int(lines["MemAvailable"].split()[0])


def _version(compiler: str) -> str:
    code = "import tensorrt_rtx; print(tensorrt_rtx.__version__)"
    return subprocess.run([compiler, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _remove_all_but(folder: Path, network: Network) -> None:
    """Delete the files of an interrupted run: `compile` would compile them as well."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != network.name:
            shutil.rmtree(path)


def _print(line: str) -> None:
    print(line, flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export.checks.full_size", description=__doc__)
    parser.add_argument("do", choices=["check", "export"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compiler", help="check: the Python of TensorRT-RTX's environment")
    parser.add_argument("--network", choices=[it.name for it in all_networks()], help="export: which")
    args = parser.parse_args(argv)
    if args.do == "check":
        if args.compiler is None:
            parser.error("check needs --compiler")
        return min(check(args.folder, args.compiler), 1)
    if args.network is None:
        parser.error("export needs --network")
    export(args.folder, next(it for it in all_networks() if it.name == args.network))
    return 0


if __name__ == "__main__":
    sys.exit(main())
