"""A plan's stamp, `model.plan.json`: what an engine was built from, with what, and for which GPU.

An engine runs only with the TensorRT that wrote it, on a GPU of the same compute capability. Triton finds
that out when it loads, in words that name neither; the stamp lets `make export` and `make doctor` say it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from serving.errors import CannotServe
from serving.gpu import Gpu

NAME = "model.plan.json"


@dataclass(frozen=True)
class Stamp:
    """
    onnx_sha256: of model.onnx and model.onnx.data.
    graph_sha256: of the graph without its weights: equal graphs can be refitted.
    batch: the optimization profiles' rows: least, best, most.
    buckets: the inputs' shapes without the batch, for each optimization profile.
    """

    tensorrt: str
    gpu: str
    compute_capability: str
    driver: str
    onnx_sha256: str
    graph_sha256: str
    batch: tuple[int, int, int]
    buckets: list[dict[str, list[int]]]
    refittable: bool

    def fits(self, wanted: "Stamp") -> bool:
        """Whether a plan with this stamp is what `wanted` asks for, as it is.

        Another driver or another GPU of the same compute capability will do.
        """
        return self._but_weights() == wanted._but_weights() and self.onnx_sha256 == wanted.onnx_sha256

    def can_be_refitted(self, wanted: "Stamp") -> bool:
        """Whether new weights are all that keeps it from `wanted`."""
        return self.refittable and self._but_weights() == wanted._but_weights()

    def _but_weights(self) -> tuple[object, ...]:
        built = self.tensorrt, self.compute_capability, self.refittable
        return *built, self.graph_sha256, self.batch, self.buckets

    def fault(self, tensorrt: str | None, gpu: Gpu | None) -> str | None:
        """Why this machine cannot run the plan, or None. None for what is not known."""
        if tensorrt is not None and tensorrt != self.tensorrt:
            return f"was built with TensorRT {self.tensorrt}, and this is {tensorrt}"
        if gpu is not None and gpu.compute_capability != self.compute_capability:
            return (
                f"was built for a GPU of compute capability {self.compute_capability} ({self.gpu}), and "
                f"{gpu.name} has {gpu.compute_capability}"
            )
        return None

    def write(self, folder: Path) -> None:
        (folder / NAME).write_text(json.dumps(asdict(self), indent=2) + "\n")


def read(folder: Path) -> Stamp | None:
    """The stamp beside the plan in `folder`; None where there is none. Raises CannotServe."""
    if not (folder / "model.plan").exists():
        return None
    try:
        fields = json.loads((folder / NAME).read_text())
        return Stamp(**fields | {"batch": tuple(fields["batch"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CannotServe(f"{folder / NAME} is missing or broken ({error}); export again") from error
