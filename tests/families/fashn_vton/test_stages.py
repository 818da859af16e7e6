import numpy as np
import pytest
import torch

from export.onnx_export import export_stage
from families.fashn_vton.family import DENOISER
from families.fashn_vton.networks import MMDiT
from families.fashn_vton.sizes import Sizes
from families.fashn_vton.stages import describe_stages
from serving.stages.onnx_runtime import OnnxStage
from serving.stages.openvino_runtime import OpenVinoStage

# One block of each kind: what an export of many blocks would repeat.
SIZES = Sizes(
    width=64, heads=2, mlp=256, patch=12, patch_mixer_blocks=1, double_blocks=1, single_blocks=1,
    categories=3, axes=(4, 14, 14), theta=10_000.0, picture=(96, 72),
)  # fmt: skip


@pytest.fixture(scope="module")
def stage():
    torch.manual_seed(0)
    [stage] = describe_stages(MMDiT(SIZES).eval(), [(96, 72), (48, 36)])
    return stage


def test_the_stage_has_the_pipelines_names(stage):
    assert stage.name == DENOISER
    assert list(stage.example) == ["sample", "timestep", "garment", "category"]
    assert stage.outputs == ("model_output",)


@pytest.mark.nightly
def test_one_graph_is_right_at_every_resolution_and_batch(stage, tmp_path):
    parity = export_stage(stage, "fp32", tmp_path)
    assert parity.error < 1e-4
    onnx, openvino = OnnxStage(tmp_path / "model.onnx"), OpenVinoStage(tmp_path / "model.onnx")
    onnx.warm_up()
    for height, width in ((96, 72), (48, 36)):
        inputs = {
            "sample": np.zeros((3, 7, height, width), np.float32),
            "timestep": np.zeros(3, np.float32),
            "garment": np.zeros((3, 4, height, width), np.float32),
            "category": np.zeros(3, np.int32),
        }
        assert onnx.run(inputs)["model_output"].shape == (3, 3, height, width)
    for example in stage.examples:
        inputs = {name: tensor.numpy() for name, tensor in example.items()}
        expected, found = (it.run(inputs)["model_output"] for it in (onnx, openvino))
        # With the timestep's sinusoids in bfloat16 it would be 0.08.
        assert np.square(found - expected).mean() < 0.03**2 * np.square(expected).mean()
