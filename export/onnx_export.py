"""Exports one stage from torch to ONNX, and checks that both compute the same."""

import copy
import logging
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.errors import ExportError
from export.group_norm import contiguous_norms, large_norms_in_rows
from export.stages import Stage
from serving.stages.onnx_runtime import OnnxStage

# 18 to 22 work; 17, and 23 and later, break ONNX Runtime or TensorRT.
OPSET = 20

# max |ONNX − torch| / max |torch|, against the float32 module.
TOLERANCES = {"fp32": 1e-4, "fp16": 3e-2}


@dataclass(frozen=True)
class Parity:
    """The largest difference of ONNX Runtime's outputs to torch's, relative to their largest magnitude."""

    error: float
    tolerance: float


def export_stage(
    stage: Stage, precision: str, folder: Path, on_progress: Callable[[str], None] = lambda doing: None
) -> Parity:
    """Write `model.onnx` into `folder`, and `model.onnx.data` if the weights are too large for one file.

    on_progress: called with the next step: "trace", "write", "check".
    Raises ExportError if the written model differs from torch by more than the tolerance.
    """
    on_progress("trace")
    module = stage.module if precision == "fp32" else copy.deepcopy(stage.module).half()
    write_onnx(replace(stage, module=module), folder, on_progress)
    del module
    on_progress("check")
    return _check(stage, precision, folder / "model.onnx")


def write_onnx(stage: Stage, folder: Path, on_progress: Callable[[str], None] = lambda doing: None) -> None:
    """Write the stage in the precision of its module, without a check."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is missing
    with torch.no_grad(), warnings.catch_warnings(), _exact_norms(stage.module, stage.largest):
        warnings.simplefilter("ignore")  # torch's exporter warns about its own internals
        program = torch.onnx.export(
            stage.module,
            kwargs=stage.largest,
            input_names=list(stage.example),
            output_names=list(stage.outputs),
            dynamic_shapes=dynamic_shapes(stage),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    on_progress("write")
    assert program is not None
    program.save(folder / "model.onnx", external_data=_bytes(stage.module) > 1_800_000_000)


def _exact_norms(
    module: torch.nn.Module, example: Mapping[str, torch.Tensor]
) -> AbstractContextManager[None]:
    """Not in half precision, whose squares overflow."""
    single = all(parameter.dtype == torch.float32 for parameter in module.parameters())
    return large_norms_in_rows(module, example) if single else nullcontext()


def dynamic_shapes(stage: Stage) -> dict[str, dict[int, Any]]:
    """The dynamic dimensions: the batch of every input, and image sides that differ between buckets.

    Sides are multiples of what RESOLUTION_STEP pixels are in that tensor, an eighth of it in latents, so that
    torch knows that every halving inside the network has no remainder.
    """
    # From 64 rows on diffusers' upsampling does something else. A graph with both cannot be traced, and torch
    # then begins anew in a way that takes twice as long.
    batch = torch.export.Dim("batch", min=1, max=63)
    sides = {
        2: torch.export.Dim("height_steps", min=1, max=128),
        3: torch.export.Dim("width_steps", min=1, max=128),
    }
    return {
        name: {0: batch} | {side: stage.step(name) * sides[side] for side in stage.dynamic_sides(name)}
        for name in stage.example
    }


def _bytes(module: torch.nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def _check(stage: Stage, precision: str, model: Path) -> Parity:
    onnx = OnnxStage(model)
    errors = []
    for example in stage.examples:
        with torch.no_grad(), contiguous_norms(stage.module):
            expected = stage.module(**example)
        if isinstance(expected, torch.Tensor):
            expected = (expected,)
        found = onnx.run({name: tensor.numpy() for name, tensor in example.items()})
        errors += [
            float(np.abs(found[name] - reference.numpy()).max() / reference.abs().max())
            for name, reference in zip(stage.outputs, expected, strict=True)
        ]
    error, allowed = float(np.max(errors)), TOLERANCES[precision]
    if not error <= allowed:  # NaN fails too
        raise ExportError(
            f"{stage.name}: ONNX differs from torch by {error:.1e} of the largest value, and {precision} "
            f"allows {allowed:.0e}; nothing was replaced"
        )
    return Parity(error, allowed)
