"""Which Triton to start, and how: the wheel's binary (profile cpu) or the container's (profile gpu)."""

import ctypes
import importlib.util
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from serving.errors import CannotServe

MODELS = (
    "text_encoder",
    "vae_encoder",
    "unet",
    "vae_decoder",
    "preprocess",
    "postprocess",
    "encode",
    "decode",
    "tryon",
)
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_SHM_BYTES = 32 << 20  # of each Python model's region; pictures pass through it


@dataclass(frozen=True)
class TritonServer:
    """One Triton on loopback.

    build: a folder for what is assembled; the wheel's own folders stay as they are.
    traces_url: where an OTLP collector takes Triton's spans, if anywhere.
    """

    repository: Path
    profile: str
    grpc_port: int
    http_port: int
    metrics_port: int
    build: Path
    traces_url: str | None = None

    @property
    def shm_prefix(self) -> str:
        """Of its shared-memory regions: two Tritons on one machine must not share them."""
        return f"lucy-{self.grpc_port}-"

    def command(self) -> list[str]:
        """Raises CannotServe where the binary is not there."""
        binary, options = self._embedded() if self.profile == "cpu" else self._container()
        return [
            str(binary),
            f"--model-repository={self.repository}",
            *options,
            f"--grpc-port={self.grpc_port}",
            f"--http-port={self.http_port}",
            f"--metrics-port={self.metrics_port}",
            "--grpc-address=127.0.0.1",
            "--http-address=127.0.0.1",
            "--metrics-address=127.0.0.1",
            "--cache-config=local,size=16777216",  # prompt embeddings, a few hundred kilobytes each
            f"--backend-config=python,shm-region-prefix-name={self.shm_prefix}",
            f"--backend-config=python,shm-default-byte-size={_SHM_BYTES}",
            f"--backend-config=python,shm-growth-byte-size={_SHM_BYTES}",
            "--exit-timeout-secs=5",
            *self._trace_options(),
        ]

    def environment(self) -> dict[str, str]:
        """Triton's Python stub finds its packages through the active virtual environment."""
        environment = dict(os.environ)
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
        environment["VIRTUAL_ENV"] = sys.prefix
        libraries = [sysconfig.get_config_var("LIBDIR"), environment.get("LD_LIBRARY_PATH")]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))
        # By default glibc gives the memory of every picture back to the kernel, and faults it in again: a
        # third of the time of `preprocess` and `postprocess`.
        environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**25))
        environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**26))
        # And it keeps free memory apart for every thread: under a crowd the processes grew for minutes.
        environment.setdefault("MALLOC_ARENA_MAX", "2")
        # One Triton for each GPU (docs/scaling.md): the others are other Tritons'.
        environment.setdefault("CUDA_VISIBLE_DEVICES", "0")
        return environment

    def remove_shared_memory(self) -> None:
        """What a Triton that was killed leaves behind."""
        for region in Path("/dev/shm").glob(f"{self.shm_prefix}*"):
            region.unlink(missing_ok=True)

    def _trace_options(self) -> list[str]:
        """Every request is traced, as a child of its `traceparent`.

        Not the models that `tryon` calls: with `InferenceRequest(trace=…)` in a decoupled model Triton 24.10
        dies of a segmentation fault.
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
        spec = importlib.util.find_spec("pytriton")
        if spec is None or not spec.submodule_search_locations:
            raise CannotServe(
                "the package nvidia-pytriton, which carries Triton, is missing: run `make setup`"
            )
        library = f"libpython{_PYTHON}.so.1.0"
        if not (Path(sysconfig.get_config_var("LIBDIR"), library).exists() or _loads(library)):
            raise CannotServe(
                f"{library}, which Triton's Python stub needs, is not on this machine: install it "
                f"(Debian and Ubuntu: apt-get install libpython{_PYTHON}; pyenv: --enable-shared)"
            )
        wheel = Path(spec.submodule_search_locations[0], "tritonserver")
        return wheel / "bin" / "tritonserver", [
            f"--backend-directory={self._assemble_backends(wheel)}",
            f"--cache-directory={wheel / 'caches'}",
            "--model-config-name=cpu",
        ]

    def _assemble_backends(self, wheel: Path) -> Path:
        """The Python backend and its stub for this Python, side by side as Triton looks for them."""
        backend = self.build / "backends" / "python"
        shutil.rmtree(backend, ignore_errors=True)
        backend.mkdir(parents=True)
        stub = wheel / "python_backend_stubs" / _PYTHON / "triton_python_backend_stub"
        for file in (*(wheel / "backends" / "python").iterdir(), stub):
            (backend / file.name).symlink_to(file)
        return backend.parent

    def _container(self) -> tuple[Path, list[str]]:
        binary = shutil.which("tritonserver") or shutil.which("tritonserver", path="/opt/tritonserver/bin")
        if binary is None:
            raise CannotServe(
                "the gpu profile needs the Triton container, and there is no tritonserver on this machine: "
                "use `docker compose --profile gpu up`, or PROFILE=cpu"
            )
        # The configurations that the export wrote; the VAE and the UNet take turns (unet/config.pbtxt).
        return Path(binary), ["--model-config-name=gpu", "--rate-limit=execution_count"]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
