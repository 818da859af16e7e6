"""`python -m serving.doctor`, which `make doctor` runs: reports what would keep this machine from serving.

Each check examines one thing and says in one line what would fail and what to do, before Triton fails with a
message of its own.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from serving.command_line import run
from serving.embedded_triton import embedded_triton
from serving.errors import CannotServe
from serving.exported import describe, read_exported, read_manifest, read_sizes
from serving.finding import Finding, Machine, report
from serving.gpu_checks import check_gpu
from serving.paths import path_fault
from serving.ports import port_faults
from serving.processor import processor_name
from serving.settings import ROOT, load_settings
from serving.stages.measured import Measured, measured_here
from serving.stages.runtime import choose_runtime
from serving.triton_server import runs_in_process

# Shared memory: 32 MiB for each instance of a Python model, and more for large images.
SHM_BYTES = {"cpu": 512 << 20, "gpu": 256 << 20}
DISK_BYTES = 1 << 30


def examine(machine: Machine) -> Iterator[Finding]:
    """Every finding, those with state "ok" too."""
    yield from _paths(machine)
    yield from _checkpoint(machine)
    if machine.profile == "gpu":
        yield from check_gpu(machine)
    else:
        yield from _processor(machine)
    if machine.profile == "cpu" or runs_in_process(machine.settings):
        yield _embedded_triton()
    yield _shared_memory(machine)
    yield _disk(machine)
    yield from _ports(machine)


def _paths(machine: Machine) -> Iterator[Finding]:
    for path in dict.fromkeys((ROOT, machine.repository.resolve())):
        if fault := path_fault(path):
            yield Finding("folder", "fail", fault)


def _checkpoint(machine: Machine) -> Iterator[Finding]:
    try:
        manifest, sizes = read_manifest(machine.repository), read_sizes(machine.repository)
    except CannotServe as error:
        yield Finding("checkpoint", "fail", str(error))
        return
    if manifest["profile"] != machine.profile:
        text = f"exported for profile {manifest['profile']}: run `make export PROFILE={machine.profile}`"
        yield Finding("checkpoint", "fail", text)
    described = describe(manifest)
    damaged = [
        name
        for name, size in sizes.items()
        if not (machine.repository / name).exists() or (machine.repository / name).stat().st_size != size
    ]
    if damaged:
        text = f"{', '.join(damaged[:3])} missing or changed: run `make export`"
        yield Finding("checkpoint", "fail", text)
    else:
        precisions = {
            stage.get("precision", described.precision) for stage in manifest.get("stages", {}).values()
        }
        text = f"{described.checkpoint}, {' and '.join(sorted(precisions))}"
        yield Finding("checkpoint", "ok", text)


def _embedded_triton() -> Finding:
    try:
        triton = embedded_triton()
    except CannotServe as error:
        return Finding("triton", "fail", str(error))
    binary = triton / "bin" / "tritonserver"
    try:
        libraries = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return Finding("triton", "warn", "its libraries were not checked: ldd is missing")
    missing = [line.split()[0] for line in libraries.splitlines() if "not found" in line]
    if missing:
        text = f"lacks {', '.join(missing)}: install the packages that contain these libraries"
        return Finding("triton", "fail", text)
    return Finding("triton", "ok", f"the binary of nvidia-pytriton, {triton}")


def _processor(machine: Machine) -> Iterator[Finding]:
    setting = machine.settings.cpu_runtime
    try:
        without = choose_runtime(setting)
    except CannotServe as error:
        yield Finding("processor", "fail", str(error))
        return
    if setting != "auto":
        yield Finding("processor", "ok", f"CPU_RUNTIME={setting}: the networks run on {without}")
        return
    measured = _measured(machine.repository)
    if measured is None:
        text = f"{processor_name()}: not measured yet, which `make serve` does; until then {without}"
        yield Finding("processor", "ok", text)
        return
    text = f"{processor_name()}: runtimes measured at {measured.measured_at}, ms of 1 and 4 rows"
    yield Finding("processor", "ok", text)
    for stage in measured.stages:
        yield Finding(stage, "ok", measured.line(stage))


def _measured(repository: Path) -> Measured | None:
    try:
        return measured_here(read_manifest(repository))
    except CannotServe:
        return None


def _shared_memory(machine: Machine) -> Finding:
    free, needed = shutil.disk_usage(machine.shm).free, SHM_BYTES[machine.profile]
    text = f"{free >> 20} MiB free in {machine.shm}"
    if free < needed:
        text += f", and Triton's Python models need about {needed >> 20}: raise shm_size, or delete old files"
        return Finding("shared memory", "fail", text)
    return Finding("shared memory", "ok", text)


def _disk(machine: Machine) -> Finding:
    free = shutil.disk_usage(machine.repository).free
    text = f"{free / 2**30:.1f} GiB free for {machine.repository}"
    if free < DISK_BYTES:
        return Finding("disk", "warn", f"{text}: an export needs two to three times the checkpoint's size")
    return Finding("disk", "ok", text)


def _ports(machine: Machine) -> Iterator[Finding]:
    faults = port_faults(machine.settings)
    for fault in faults.values():
        yield Finding("ports", "fail", fault)
    if free := [str(port) for port in machine.settings.ports.values() if port not in faults]:
        yield Finding("ports", "ok", f"{', '.join(free)} free")


def _exported_profile(repository: Path) -> str:
    try:
        return read_exported(repository).profile
    except CannotServe:
        return "cpu"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.doctor", description=__doc__)
    parser.add_argument("--profile", choices=["cpu", "gpu"], help="default: that of the export, else cpu")
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    args = parser.parse_args(argv)
    try:
        settings = load_settings()
    except CannotServe as error:
        print(report([Finding("settings", "fail", str(error))]), file=sys.stderr)
        return 1
    profile = args.profile or _exported_profile(args.repository)
    findings = list(examine(Machine(args.repository, profile, settings)))
    print(report(findings))
    return int(any(finding.state == "fail" for finding in findings))


if __name__ == "__main__":
    sys.exit(run("doctor", main))
