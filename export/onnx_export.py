"""One stage from torch to ONNX, and the proof that both give the same."""

import copy
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.errors import ExportError
from export.stages import Stage
from pipeline.recipe import RESOLUTION_STEP
from serving.stages.onnx_runtime import OnnxStage

# 18 to 22 are right; 17 and 23 up break ONNX Runtime or TensorRT.
OPSET = 20

# max |ONNX − torch| / max |torch|, against the float32 module.
TOLERANCES = {"fp32": 1e-4, "fp16": 3e-2}


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime's outputs are from torch's, relative to their largest magnitude."""

    error: float
    tolerance: float


def export_stage(
    stage: Stage, precision: str, folder: Path, on_progress: Callable[[str], None] = lambda doing: None
) -> Parity:
    """Write `model.onnx` (and `model.onnx.data` where the weights are too large for it) into `folder`.

    on_progress: told what comes next: "trace", "write", "check".
    Raises ExportError where the written model is further from torch than the tolerance.
    """
    on_progress("trace")
    module = stage.module if precision == "fp32" else copy.deepcopy(stage.module).half()
    write_onnx(replace(stage, module=module), folder, on_progress)
    del module
    on_progress("check")
    return _check(stage, precision, folder / "model.onnx")


def write_onnx(stage: Stage, folder: Path, on_progress: Callable[[str], None] = lambda doing: None) -> None:
    """The stage in the precision that its module has, unchecked."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is not there
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns of its own internals
        program = torch.onnx.export(
            stage.module,
            # On the largest: torch takes a side of a single step for one that is always single.
            kwargs=max(stage.examples, key=lambda example: sum(it.numel() for it in example.values())),
            input_names=list(stage.example),
            output_names=list(stage.outputs),
            dynamic_shapes=_dynamic_shapes(stage),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    on_progress("write")
    assert program is not None
    program.save(folder / "model.onnx", external_data=_bytes(stage.module) > 1_800_000_000)


def _dynamic_shapes(stage: Stage) -> dict[str, dict[int, Any]]:
    """The batch of every input, and the sides of a picture that the buckets do not agree on.

    Those go in steps of RESOLUTION_STEP pixels, an eighth of that in latents: torch then knows that every
    halving inside comes out even.
    """
    batch = torch.export.Dim("batch", min=1, max=64)
    sides = {
        2: torch.export.Dim("height_steps", min=1, max=64),
        3: torch.export.Dim("width_steps", min=1, max=64),
    }
    return {
        name: {0: batch}
        | {
            side: (RESOLUTION_STEP if name == "pixels" else RESOLUTION_STEP // 8) * sides[side]
            for side in stage.dynamic_sides(name)
        }
        for name in stage.example
    }


def _bytes(module: torch.nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def _check(stage: Stage, precision: str, model: Path) -> Parity:
    onnx = OnnxStage(model)
    errors = []
    for example in stage.examples:
        with torch.no_grad():
            expected = stage.module(**example)
        if isinstance(expected, torch.Tensor):
            expected = (expected,)
        found = onnx.run({name: tensor.numpy() for name, tensor in example.items()})
        errors += [
            float(np.abs(found[name] - reference.numpy()).max() / reference.abs().max())
            for name, reference in zip(stage.outputs, expected, strict=True)
        ]
    error = float(np.max(errors))
    if not error <= TOLERANCES[precision]:  # not a number is no pass either
        raise ExportError(
            f"{stage.name}: ONNX differs from torch by {error:.1e} of the largest value, more than the "
            f"{TOLERANCES[precision]:.0e} that {precision} may; nothing was replaced"
        )
    return Parity(error, TOLERANCES[precision])
