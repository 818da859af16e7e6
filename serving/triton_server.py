"""Which Triton is started, and how: the wheel's binary, or an installed one such as the container's.

Profile cpu is served by the wheel's. So is profile gpu where no `tritonserver` is installed, with the
networks inside `tryon`'s process: the wheel has the Python backend alone.
"""

import contextlib
import os
import secrets
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serving.embedded_triton import PYTHON, embedded_triton
from serving.errors import CannotServe
from serving.gpu_settings import GpuSettings
from serving.light_torch import PROFILE
from serving.models import options as loading
from serving.models import python_processes, served_models
from serving.placement import IN_PROCESS

LOOPBACK = "127.0.0.1"
# Nothing of ours calls these protocols, and each of them lets its caller load code, read or write memory, or
# write files. Releases before 25.08 have published flaws in the shared-memory one.
RESTRICTED_PROTOCOLS = "shared-memory,model-repository,trace,logging"
# Calls of other models by all Python models, at the same time: `tryon` makes some for each job.
_BLS_THREADS = 64
_SHM_BYTES = 32 << 20  # of each Python model's region, which images and tensors pass through


@dataclass(frozen=True)
class TritonServer:
    """One Triton on the loopback interface.

    http_port: None: no HTTP endpoint, since readiness, statistics and inference all use gRPC.
    build: a folder for what is assembled; the wheel's own folders are not changed.
    cpu_runtime, gpu: settings of the models that run inside this Triton.
    traces_url: the OTLP collector that receives Triton's spans, or None.
    models: those that it loads; none: those of the export.
    run_id: part of the names in /dev/shm, so that leftovers of another user cannot block a start.
    """

    repository: Path
    profile: str
    grpc_port: int
    http_port: int | None
    metrics_port: int
    build: Path
    cpu_runtime: str = "auto"
    gpu: GpuSettings = field(default_factory=GpuSettings)
    traces_url: str | None = None
    models: Sequence[str] = ()
    run_id: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def grpc_address(self) -> str:
        return f"{LOOPBACK}:{self.grpc_port}"

    @property
    def shm_prefix(self) -> str:
        """The prefix of its shared-memory regions: two Tritons on one machine must not share them."""
        return f"{self._shm_port_prefix}{self.run_id}-"

    @property
    def _shm_port_prefix(self) -> str:
        return f"lucy-{self.grpc_port}-"

    @property
    def in_process(self) -> bool:
        """Whether the networks run inside `tryon`'s process."""
        return self.profile == "gpu" and runs_in_process(self.gpu)

    @property
    def _configuration(self) -> str:
        """The name of the models' configurations."""
        return IN_PROCESS if self.in_process else self.profile

    def served(self) -> list[str]:
        """The models that it loads. Raises CannotServe without an export."""
        return list(self.models) or served_models(self.repository, in_process=self.in_process)

    def processes(self) -> int:
        """How many processes of Python models it starts. Raises CannotServe without an export."""
        return python_processes(self.repository, self.served(), self._configuration)

    def command(self) -> list[str]:
        """The program and its arguments. Raises CannotServe if the binary or the export is missing."""
        if self.profile == "cpu" or self.in_process:
            binary, options = self._embedded()
        else:
            binary, options = self._installed()
        return [
            str(binary),
            f"--model-repository={self.repository}",
            *loading(self.served()),
            *options,
            f"--grpc-address={LOOPBACK}",
            f"--grpc-port={self.grpc_port}",
            *self._http_options(),
            f"--metrics-address={LOOPBACK}",
            f"--metrics-port={self.metrics_port}",
            # A random token that nobody keeps. Users of this machine can read it in the process list.
            f"--grpc-restricted-protocol={RESTRICTED_PROTOCOLS}:token={secrets.token_hex(32)}",
            # All at once: by default two for each core, and `tryon`, which takes longest, began late.
            f"--model-load-thread-count={len(self.served())}",
            # Auto-complete would add a `dynamic_batching` that changes which batches have CUDA graphs.
            "--disable-auto-complete-config",
            f"--backend-config=python,thread-pool-size={_BLS_THREADS}",
            f"--backend-config=python,shm-region-prefix-name={self.shm_prefix}",
            f"--backend-config=python,shm-default-byte-size={_SHM_BYTES}",
            f"--backend-config=python,shm-growth-byte-size={_SHM_BYTES}",
            "--exit-timeout-secs=5",
            *self._trace_options(),
        ]

    def environment(self) -> dict[str, str]:
        """Triton's environment: its Python stub finds packages through the active virtual environment."""
        environment = dict(os.environ)
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
        environment["VIRTUAL_ENV"] = sys.prefix
        libraries = [sysconfig.get_config_var("LIBDIR"), environment.get("LD_LIBRARY_PATH")]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))
        environment[PROFILE] = self.profile
        environment["CPU_RUNTIME"] = self.cpu_runtime
        environment["TENSOR_MEMORY"] = self.gpu.tensor_memory
        environment["GPU_RUNTIME"] = self.gpu.gpu_runtime
        environment["GPU_DEVICE"] = self.gpu.gpu_device
        environment["CUDA_GRAPHS"] = str(self.gpu.cuda_graphs).lower()
        # By default glibc returns the memory of every image to the kernel and then faults it in again: a
        # third of the time of `preprocess` and `postprocess`.
        environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**25))
        environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**26))
        # By default glibc also keeps free memory per thread: under load the processes grew for minutes.
        environment.setdefault("MALLOC_ARENA_MAX", "2")
        # One Triton per GPU (docs/scaling.md): the other GPUs belong to other Tritons.
        environment.setdefault("CUDA_VISIBLE_DEVICES", "0")
        return environment

    def protect_shared_memory(self) -> None:
        """Let only this user read the images in /dev/shm. Triton sets mode 644 itself, whatever the umask."""
        for region in Path("/dev/shm").glob(f"{self.shm_prefix}*"):
            with contextlib.suppress(OSError):
                region.chmod(0o600)

    def remove_shared_memory(self) -> None:
        """Delete the regions that a killed Triton on this port left, except those of other users."""
        for region in Path("/dev/shm").glob(f"{self._shm_port_prefix}*"):
            with contextlib.suppress(OSError):
                region.unlink()

    def _http_options(self) -> list[str]:
        if self.http_port is None:
            return ["--allow-http=false"]
        return [
            f"--http-address={LOOPBACK}",
            f"--http-port={self.http_port}",
            f"--http-restricted-api={RESTRICTED_PROTOCOLS}:token={secrets.token_hex(32)}",
        ]

    def _trace_options(self) -> list[str]:
        """Options that trace every request, as a child of its `traceparent`.

        The models that `tryon` calls are not traced: with `InferenceRequest(trace=…)` in a decoupled model
        Triton 24.10 crashes with a segmentation fault.
        """
        if self.traces_url is None:
            return []
        options = ("mode=opentelemetry", "level=TIMESTAMPS", "rate=1", "count=-1")
        return [
            *(f"--trace-config={option}" for option in options),
            f"--trace-config=opentelemetry,url={self.traces_url}",
            "--trace-config=opentelemetry,resource=service.name=lucy-triton",
        ]

    def _embedded(self) -> tuple[Path, list[str]]:
        triton = embedded_triton()
        return triton / "bin" / "tritonserver", [
            f"--backend-directory={self._assemble_backends(triton)}",
            f"--model-config-name={self._configuration}",
        ]

    def _assemble_backends(self, triton: Path) -> Path:
        """A folder with the Python backend and its stub for this Python side by side, as Triton wants it."""
        backend = self.build / "backends" / "python"
        shutil.rmtree(backend, ignore_errors=True)
        backend.mkdir(parents=True)
        stub = triton / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
        for file in (*(triton / "backends" / "python").iterdir(), stub):
            (backend / file.name).symlink_to(file)
        return backend.parent

    def _installed(self) -> tuple[Path, list[str]]:
        binary = installed_triton()
        if binary is None:
            raise CannotServe("tritonserver is not installed any more: start again")
        # The configurations that the export wrote. VAE and UNet never run together (unet/config.pbtxt).
        return binary, [
            "--model-config-name=gpu",
            "--rate-limit=execution_count",
            "--cuda-memory-pool-byte-size=0:536870912",
        ]


def installed_triton() -> Path | None:
    """The tritonserver of this machine or container, with the backend of TensorRT; None if there is none."""
    binary = shutil.which("tritonserver") or shutil.which("tritonserver", path="/opt/tritonserver/bin")
    return None if binary is None else Path(binary)


def runs_in_process(gpu: GpuSettings) -> bool:
    """Whether profile gpu has its networks inside `tryon`: without a tritonserver, or by GPU_RUNTIME."""
    return gpu.gpu_runtime != "auto" or gpu.gpu_device == "cpu" or installed_triton() is None
