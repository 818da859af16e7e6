"""Where the processor has no bfloat16, OpenVINO calculates in float32: all of this holds there too."""

import json

import numpy as np
import pytest

from export.onnx_export import export_stage
from families.sd_inpainting.checkpoint import load
from families.sd_inpainting.stages import describe_stages
from serving.stages.figures import TOLERANCES
from serving.stages.onnx_runtime import OnnxStage
from serving.stages.openvino_runtime import OpenVinoStage
from serving.stages.timing import error, example
from tests.repository import prepared_repository

STAGES = ("text_encoder", "vae_encoder", "unet", "vae_decoder")
ROWS = 5


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    """Of the tiny checkpoint at two resolutions: stage and `model.onnx`, by name."""
    found = {}
    for stage in describe_stages(load(checkpoint), [(64, 64), (128, 64)]):
        folder = tmp_path_factory.mktemp(stage.name)
        export_stage(stage, "fp32", folder)
        found[stage.name] = (stage, folder / "model.onnx")
    return found


def inputs_of(stage, bucket):
    """Rows that differ from each other."""
    noise = np.random.default_rng(3)
    for name, shape in stage.buckets[bucket].items():
        kind = stage.examples[bucket][name].numpy().dtype
        rows = (
            noise.standard_normal((ROWS, *shape))
            if kind.kind == "f"
            else noise.integers(0, 9, (ROWS, *shape))
        )
        yield name, rows.astype(kind)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", STAGES)
def test_of_the_default_checkpoint_it_says_what_onnx_runtime_says(name):
    """Within what a stage may differ to be chosen."""
    repository = prepared_repository()
    model = repository / name / "1" / "model.onnx"
    shapes = json.loads((repository / "manifest.json").read_text())["stages"][name]["buckets"][0]
    openvino, onnx = OpenVinoStage(model), OnnxStage(model)
    inputs = example(onnx.smallest_inputs(), shapes, rows=2)
    assert error(openvino.run(inputs), onnx.run(inputs)) <= TOLERANCES["bf16"]


@pytest.mark.nightly
@pytest.mark.parametrize("name", STAGES)
def test_it_says_what_onnx_runtime_says(exported, name):
    stage, model = exported[name]
    openvino, onnx = OpenVinoStage(model), OnnxStage(model)
    openvino.warm_up()
    assert openvino.outputs == onnx.outputs
    for bucket in range(len(stage.buckets)):
        inputs = dict(inputs_of(stage, bucket))
        expected = onnx.run(inputs)
        for output, found in openvino.run(inputs).items():
            wanted = expected[output]
            assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
            error = np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2))
            assert error < 0.03, "more than bfloat16's rounding"


@pytest.mark.nightly
def test_a_row_is_the_same_alone_and_beside_others(exported):
    stage, model = exported["unet"]
    openvino, inputs = OpenVinoStage(model), dict(inputs_of(stage, 0))
    together = openvino.run(inputs)["model_output"]
    alone = [
        openvino.run({name: rows[n : n + 1] for name, rows in inputs.items()})["model_output"]
        for n in range(ROWS)
    ]
    assert np.array_equal(together, np.concatenate(alone)), "and the next call must not write over it"
