"""Exports one stage as a program of torch (`model.pt2`), which profile gpu runs where there is no engine."""

import copy
from dataclasses import replace
from pathlib import Path

import torch

from export.errors import ExportError
from export.onnx_export import dynamic_shapes
from export.program_file import write_program
from export.stages import Stage
from serving.stages.torch_runtime import NAME, TorchStage

# As those of ONNX, but a processor's kernels of half precision also add in it.
_TOLERANCES = {"fp32": 1e-4, "fp16": 6e-2}


def export_program(stage: Stage, precision: str, folder: Path) -> float:
    """Write `model.pt2` into `folder`. Returns its error, which is relative to the largest value.

    Raises ExportError if it differs from the float32 module by more than the precision's tolerance.
    """
    module = stage.module if precision == "fp32" else copy.deepcopy(stage.module).half()
    write_program(replace(stage, module=module), dynamic_shapes(stage), folder)
    del module
    error = _error(stage, TorchStage(folder / NAME, "cuda" if torch.cuda.is_available() else "cpu"))
    if not error <= _TOLERANCES[precision]:  # NaN fails too
        raise ExportError(
            f"{stage.name}: the exported program differs from torch by {error:.1e} of the largest value, and "
            f"{precision} allows {_TOLERANCES[precision]:.0e}; nothing was replaced"
        )
    return error


def _error(stage: Stage, program: TorchStage) -> float:
    """On one row: the program was traced with two, and on a processor half precision takes long."""
    one = {name: tensor[:1] for name, tensor in stage.example.items()}
    with torch.no_grad():
        expected = stage.module(**one)
    expected = (expected,) if isinstance(expected, torch.Tensor) else expected
    found = program.call({name: tensor.to(program.device) for name, tensor in one.items()})
    errors = [
        (found[name].cpu() - reference).abs().max() / reference.abs().max()
        for name, reference in zip(stage.outputs, expected, strict=True)
    ]
    return float(torch.stack(errors).max())
