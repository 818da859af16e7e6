"""`python -m serving.doctor`: what `make doctor` runs, and what would keep this machine from serving.

Each check looks at one thing and says in one line what would fail and what to do, before Triton fails in
its own words.
"""

import argparse
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from serving import engine_stamp
from serving.errors import CannotServe
from serving.gpu import Gpu, query_gpus
from serving.stages import runtime as cpu_stage

ROOT = Path(__file__).resolve().parent.parent
# Shared memory: 32 MiB for each instance of a Python model, more where pictures are large.
SHM_BYTES = {"cpu": 512 << 20, "gpu": 256 << 20}
DISK_BYTES = 1 << 30
# CUDA 13, which the image has, runs on drivers from 580 on.
DRIVER = 580
PORTS = {"PORT": 5000, "TRITON_GRPC_PORT": 8001, "TRITON_HTTP_PORT": 8000, "TRITON_METRICS_PORT": 8002}


@dataclass(frozen=True)
class Finding:
    """state: "fail" keeps the stack from serving, "warn" may."""

    subject: str
    state: Literal["ok", "warn", "fail"]
    text: str


@dataclass(frozen=True)
class Machine:
    """What is looked at.

    ports: setting and number of each port that is listened on.
    """

    repository: Path
    profile: str
    ports: dict[str, int]
    host: str = "0.0.0.0"
    shm: Path = Path("/dev/shm")


def examine(machine: Machine) -> Iterator[Finding]:
    """Every finding, the good ones too."""
    yield from _checkpoint(machine)
    if machine.profile == "gpu":
        yield from _gpu(machine)
    else:
        yield _embedded_triton()
        yield _processor()
    yield _shared_memory(machine)
    yield _disk(machine)
    yield from _ports(machine)


def _checkpoint(machine: Machine) -> Iterator[Finding]:
    manifest_path = machine.repository / "manifest.json"
    try:
        manifest = json.loads(manifest_path.read_text())
    except FileNotFoundError:
        yield Finding("checkpoint", "fail", "nothing is exported yet: run `make export`")
        return
    except (OSError, ValueError) as error:
        yield Finding("checkpoint", "fail", f"{manifest_path} cannot be read ({error}): run `make export`")
        return
    if manifest["profile"] != machine.profile:
        text = f"exported for profile {manifest['profile']}: run `make export PROFILE={machine.profile}`"
        yield Finding("checkpoint", "fail", text)
    lost = [
        name
        for name, entry in manifest["files"].items()
        if not (machine.repository / name).exists()
        or (machine.repository / name).stat().st_size != entry["bytes"]
    ]
    if lost:
        yield Finding("checkpoint", "fail", f"{', '.join(lost[:3])} missing or changed: run `make export`")
    else:
        precisions = {stage.get("precision", manifest["precision"]) for stage in manifest["stages"].values()}
        text = f"{manifest['checkpoint']['name']}, {' and '.join(sorted(precisions))}"
        yield Finding("checkpoint", "ok", text)


def _gpu(machine: Machine) -> Iterator[Finding]:
    gpus = query_gpus()
    if not gpus:
        text = "nvidia-smi finds none: install the driver, give the container the GPU, or use PROFILE=cpu"
        yield Finding("gpu", "fail", text)
        return
    gpu = gpus[0]
    yield Finding("gpu", "ok", f"{gpu.name}, compute capability {gpu.compute_capability}")
    if int(gpu.driver.split(".")[0]) < DRIVER:
        text = f"{gpu.driver} is too old for the image's CUDA 13: install {DRIVER} or newer"
        yield Finding("driver", "fail", text)
    if shutil.which("tritonserver", path=f"{os.environ.get('PATH', '')}:/opt/tritonserver/bin") is None:
        text = "no tritonserver here: `docker compose --profile gpu up`, or PROFILE=cpu"
        yield Finding("container", "fail", text)
    yield from _plans(machine, gpu)


def _plans(machine: Machine, gpu: Gpu) -> Iterator[Finding]:
    tensorrt = _tensorrt_version()
    engines = 0
    for folder in sorted(machine.repository.glob("*/1")):
        if not (folder / "model.onnx").exists():
            continue
        name = folder.parent.name
        try:
            plan = engine_stamp.read(folder)
        except CannotServe as error:
            yield Finding("engines", "fail", f"{name}: {error}")
            continue
        if plan is None:
            text = f"{name} has none: run `make export PROFILE=gpu` on this machine"
            yield Finding("engines", "fail", text)
        elif fault := plan.fault(tensorrt, gpu):
            text = f"{name} {fault}: run `make export PROFILE=gpu` here"
            yield Finding("engines", "fail", text)
        else:
            engines += 1
            needed = (folder / "model.plan").stat().st_size >> 20
            if needed > gpu.memory_total:
                text = f"{name} alone is {needed} MiB and {gpu.name} has {gpu.memory_total}"
                yield Finding("engines", "fail", text)
    if engines:
        yield Finding(
            "engines", "ok", f"{engines} of this GPU and TensorRT {tensorrt or '(version unknown)'}"
        )


def _tensorrt_version() -> str | None:
    if importlib.util.find_spec("tensorrt") is None:
        return None
    import tensorrt

    return str(tensorrt.__version__)


def _embedded_triton() -> Finding:
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        return Finding("triton", "fail", "nvidia-pytriton, which carries it, is missing: run `make setup`")
    binary = Path(spec.submodule_search_locations[0], "tritonserver", "bin", "tritonserver")
    try:
        libraries = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return Finding("triton", "warn", "its libraries could not be looked at: ldd is missing")
    lost = [line.split()[0] for line in libraries.splitlines() if "not found" in line]
    if lost:
        return Finding("triton", "fail", f"lacks {', '.join(lost)}: install what has these libraries")
    return Finding("triton", "ok", f"the one in nvidia-pytriton, {binary.parent.parent}")


def _processor() -> Finding:
    try:
        runtime = cpu_stage.runtime()
    except CannotServe as error:
        return Finding("processor", "fail", str(error))
    how = {"onnxruntime": "ONNX Runtime in float32", "openvino": "OpenVINO in bfloat16"}[runtime]
    amx = "has" if cpu_stage.has_amx() else "has no"
    return Finding("processor", "ok", f"{amx} matrix units (AMX): the networks run on {how}")


def _shared_memory(machine: Machine) -> Finding:
    free, wanted = shutil.disk_usage(machine.shm).free, SHM_BYTES[machine.profile]
    text = f"{free >> 20} MiB free in {machine.shm}"
    if free < wanted:
        text += (
            f", and Triton's Python models need about {wanted >> 20}: raise shm_size, or delete what is old"
        )
        return Finding("shared memory", "fail", text)
    return Finding("shared memory", "ok", text)


def _disk(machine: Machine) -> Finding:
    free = shutil.disk_usage(machine.repository).free
    text = f"{free / 2**30:.1f} GiB free for {machine.repository}"
    if free < DISK_BYTES:
        return Finding("disk", "warn", f"{text}: an export needs two to three times the checkpoint's size")
    return Finding("disk", "ok", text)


def _ports(machine: Machine) -> Iterator[Finding]:
    free = []
    for setting, port in machine.ports.items():
        host = machine.host if setting == "PORT" else "127.0.0.1"
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                text = (
                    f"{port} is taken ({error.strerror}): end what listens there, or set {setting} to another"
                )
                yield Finding("ports", "fail", text)
            else:
                free.append(str(port))
    if free:
        yield Finding("ports", "ok", f"{', '.join(free)} free")


def show(findings: list[Finding]) -> str:
    marks = {"ok": " ok ", "warn": "WARN", "fail": "FAIL"}
    return "\n".join(f"{marks[it.state]}  {it.subject:<14} {it.text}" for it in findings)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.doctor", description=__doc__)
    parser.add_argument("--profile", choices=["cpu", "gpu"], default="cpu", help="default: %(default)s")
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    args = parser.parse_args(argv)
    try:
        ports = {name: int(os.environ.get(name) or port) for name, port in PORTS.items()}
    except ValueError as error:
        print(f"FAIL  ports          {error}: a port is a number", file=sys.stderr)
        return 1
    host = os.environ.get("HOST") or "0.0.0.0"
    findings = list(examine(Machine(args.repository, args.profile, ports, host)))
    print(show(findings))
    return int(any(finding.state == "fail" for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
