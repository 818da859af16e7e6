"""The stamp of an engine, `model.plan.json`: what it was built from, with which TensorRT, for which GPU.

An engine runs only with the TensorRT version that wrote it, on a GPU of the same compute capability. If they
do not match, Triton's error message names neither; the stamp lets `make export` and `make doctor` name both.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from serving.errors import CannotServe
from serving.gpu import Gpu

NAME = "model.plan.json"


@dataclass(frozen=True)
class Stamp:
    """How an engine was built.

    onnx_sha256: of model.onnx and model.onnx.data.
    graph_sha256: of the graph without its weights; an engine can be refitted to an equal graph.
    batches: batch sizes: smallest, best, largest.
    buckets: the inputs' shapes without the batch, for each resolution. Each resolution has an optimization
        profile for each of `batches`.
    """

    tensorrt: str
    gpu: str
    compute_capability: str
    driver: str
    onnx_sha256: str
    graph_sha256: str
    batches: list[list[int]]
    buckets: list[dict[str, list[int]]]
    refittable: bool

    def fits(self, wanted: "Stamp") -> bool:
        """Whether an engine with this stamp can be used where `wanted` is needed.

        The driver and the GPU may differ if the compute capability is the same.
        """
        return self._without_weights() == wanted._without_weights() and self.onnx_sha256 == wanted.onnx_sha256

    def can_be_refitted(self, wanted: "Stamp") -> bool:
        """Whether the engine differs from `wanted` only in its weights and accepts new ones."""
        return self.refittable and self._without_weights() == wanted._without_weights()

    def _without_weights(self) -> tuple[object, ...]:
        built = self.tensorrt, self.compute_capability, self.refittable
        return *built, self.graph_sha256, self.batches, self.buckets

    def fault(self, tensorrt: str | None, gpu: Gpu | None) -> str | None:
        """Why this machine cannot run the engine, or None. An argument that is None is not checked."""
        if tensorrt is not None and tensorrt != self.tensorrt:
            return f"was built with TensorRT {self.tensorrt}, and this machine has {tensorrt}"
        if gpu is not None and gpu.compute_capability != self.compute_capability:
            return (
                f"was built for a GPU of compute capability {self.compute_capability} ({self.gpu}), and "
                f"{gpu.name} has {gpu.compute_capability}"
            )
        return None

    def write(self, folder: Path) -> None:
        (folder / NAME).write_text(json.dumps(asdict(self), indent=2) + "\n")


def read(folder: Path) -> Stamp | None:
    """The stamp of the engine in `folder`; None without an engine. Raises CannotServe if it is broken."""
    if not (folder / "model.plan").exists():
        return None
    try:
        return Stamp(**json.loads((folder / NAME).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise CannotServe(f"{folder / NAME} is missing or broken ({error}); export again") from error
