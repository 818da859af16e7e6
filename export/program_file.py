"""Writes a stage as a program of torch.export, `model.pt2`: what serving.stages.torch_runtime reads.

Here and not beside what reads it, since this code decides what an export writes: the key of an export counts
it (recipe_key.py).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.fx.experimental._config as symbolic_shapes

from export.stages import Stage
from serving.stages.torch_runtime import DESCRIPTION, NAME


def write_program(stage: Stage, dynamic_shapes: Mapping[str, Mapping[int, Any]], folder: Path) -> None:
    """Write the stage, in the precision of its module, into `folder`.

    dynamic_shapes: dimensions of each input that vary, as torch.export.export takes them.
    """
    # As torch's ONNX exporter does, which accepts every network of ours: no dimension is fixed since its
    # example is 1 long, and what cannot be proven of a dimension is checked in each run.
    with torch.no_grad(), symbolic_shapes.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        program = torch.export.export(
            stage.module.eval(),
            (),
            stage.largest,
            dynamic_shapes={name: dict(it) for name, it in dynamic_shapes.items()},
            prefer_deferred_runtime_asserts_over_guards=True,
        )
    described = {
        "outputs": list(stage.outputs),
        "inputs": {
            name: {"type": str(it.dtype).removeprefix("torch.")} for name, it in stage.example.items()
        },
        "buckets": [{name: list(shape) for name, shape in bucket.items()} for bucket in stage.buckets],
    }
    torch.export.save(program, folder / NAME, extra_files={DESCRIPTION: json.dumps(described)})
