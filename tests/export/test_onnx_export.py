import numpy as np
import pytest

from export.onnx_export import export_stage
from families.sd_inpainting.checkpoint import load
from families.sd_inpainting.stages import describe_stages
from serving.stages.onnx_runtime import OnnxStage


@pytest.fixture(scope="module")
def stages(checkpoint):
    """Of the tiny checkpoint at two resolutions, by name."""
    described = describe_stages(load(checkpoint), [(64, 64), (128, 64)])
    return {stage.name: stage for stage in described}


def test_only_the_sides_that_differ_are_dynamic(stages):
    assert stages["vae_encoder"].dynamic_sides("pixels") == {2}
    assert stages["unet"].dynamic_sides("prompt_embeds") == set()
    assert stages["text_encoder"].further == ()


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["vae_encoder", "unet"])
def test_one_graph_is_right_at_every_resolution(stages, name, tmp_path):
    """Steps of 64 pixels: without them torch fixes the side to where an upsampling needs no output size."""
    stage = stages[name]
    parity = export_stage(stage, "fp32", tmp_path)
    assert parity.error < 1e-4  # the largest of both
    onnx = OnnxStage(tmp_path / "model.onnx")
    onnx.warm_up()
    first, second = (
        onnx.run({key: np.zeros((3, *shape), example[key].numpy().dtype) for key, shape in bucket.items()})
        for bucket, example in zip(stage.buckets, stage.examples, strict=True)
    )
    output = stage.outputs[0]
    assert (first[output].shape, second[output].shape) == ((3, 4, 8, 8), (3, 4, 16, 8))
