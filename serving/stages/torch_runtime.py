"""An exported stage on torch: half precision, channels last, fused attention, and CUDA graphs.

It needs nothing besides torch, and no engine for one GPU. The stage is a program of torch.export,
`model.pt2`, so that no code of the checkpoint's library is imported. On a CPU it computes without graphs: for
tests, and for whoever has no GPU at hand.
"""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export.passes import move_to_device_pass

from serving.errors import CannotServe
from serving.stages.cuda_graphs import Capture, CudaGraphs, Tensors
from serving.stages.fused_norms import fuse_group_norms

NAME = "model.pt2"
DESCRIPTION = "stage.json"  # within model.pt2: the names of its tensors, and one row of each input


class TorchStage:
    """A `model.pt2` that takes and returns tensors by name; the first dimension of each is the batch.

    device: `cpu`, or `cuda` with CUDA graphs for `rows` at the shapes of the export.
    capture: captures the graphs; stages that share it share their memory.
    """

    def __init__(
        self, model: Path, device: str = "cuda", rows: Sequence[int] = (), capture: Capture | None = None
    ):
        if not zipfile.is_zipfile(model):
            raise CannotServe(f"{model} is missing or broken: export again")
        extra = {DESCRIPTION: ""}
        try:
            program = torch.export.load(model, extra_files=extra)
            described = json.loads(extra[DESCRIPTION])
            self.outputs: list[str] = described["outputs"]
            self._types = {name: getattr(torch, it["type"]) for name, it in described["inputs"].items()}
            self._shapes = [
                {name: tuple(shape) for name, shape in bucket.items()} for bucket in described["buckets"]
            ]
        except Exception as error:  # torch's own kinds, of another version's file for instance
            raise CannotServe(
                f"{model} cannot be read by torch {torch.__version__} ({error}): export again"
            ) from error
        self.device = torch.device(device)
        if self.device.type != "cpu":
            program = move_to_device_pass(program, device)
            torch.backends.cudnn.benchmark = True  # each shape's kernels are tried once, before its capture
        self._module = program.module()
        _drop_assertions(self._module)
        if self.device.type == "cuda":
            from serving.stages.group_norm import group_norm  # Triton's compiler comes with torch for CUDA

            fuse_group_norms(self._module, group_norm)
        _lay_out(self._module)
        self._graphs = CudaGraphs(self._compute, capture)
        self._rows = tuple(rows) if self.device.type == "cuda" else ()

    def call(self, inputs: Tensors) -> Tensors:
        """Tensors on the device, which stay there."""
        return self._graphs(inputs)

    def warm_up(self) -> None:
        """Run once at each shape of the export, and capture the graphs, so that no request waits for it."""
        for bucket in range(len(self._shapes)):
            example = self.example(bucket)
            self.call(example)
            if self._rows:
                self._graphs.add(example, self._rows)

    def example(self, bucket: int = 0) -> Tensors:
        """One row of zeros for each input, at the export's resolution of that number."""
        return {
            name: torch.zeros((1, *shape), dtype=self._types[name], device=self.device)
            for name, shape in self._shapes[bucket].items()
        }

    def _compute(self, inputs: Tensors) -> Tensors:
        with torch.no_grad():
            outputs = self._module(**inputs)
        found = outputs if isinstance(outputs, tuple | list) else (outputs,)
        # Not in the convolutions' layout, which no caller expects.
        return {name: it.contiguous() for name, it in zip(self.outputs, found, strict=True)}


def _drop_assertions(module: Any) -> None:
    """The export has checked one row, too, and torch 2.11 asserts of its example that no batch is 1."""
    for node in [it for it in module.graph.nodes if it.target is torch.ops.aten._assert_scalar.default]:
        module.graph.erase_node(node)
    module.graph.eliminate_dead_code()
    module.recompile()


def _lay_out(module: nn.Module) -> None:
    """Channels last for convolutions' weights: the layout that cuDNN's and oneDNN's fast kernels want."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)
