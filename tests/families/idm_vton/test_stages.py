"""The exported graphs at several resolutions, in half precision: test_serving.py has them in single.

The networks are small, since tracing takes a second a block.
"""

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from export.onnx_export import export_stage
from families.idm_vton import stages
from families.idm_vton.features import NAMES
from families.idm_vton.networks import GarmentNet, TryonNet, with_garment_attention
from serving.stages.onnx_runtime import OnnxStage

RESOLUTIONS = [(64, 128), (192, 256)]


def unet(channels, **config):
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        out_channels=4,
        block_out_channels=(8, 8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=(1, 1, 2),
        norm_num_groups=4,
        cross_attention_dim=12,
        use_linear_projection=True,
        **config,
    )


def garment_net():
    return GarmentNet(unet(4)).eval()


def tryon_net():
    conditions = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + 16,
    }
    return TryonNet(with_garment_attention(unet(13, **conditions))).eval()


@pytest.mark.nightly
def test_garment_net_is_one_graph_for_every_resolution(tmp_path):
    stage = stages.garment_net(garment_net(), RESOLUTIONS, 77)
    assert export_stage(stage, "fp16", tmp_path).error < 1e-2
    onnx = OnnxStage(tmp_path / "model.onnx")
    inputs = {
        "latents": np.zeros((3, 4, 24, 16), np.float32),
        "timestep": np.zeros(3, np.float32),
        "prompt_embeds": np.zeros((3, 77, 12), np.float32),
    }
    found = onnx.run(inputs)
    assert [found[name].shape for name in NAMES] == [(3, 3, 12, 8, 8), (3, 4, 6, 4, 16)]


@pytest.mark.nightly
def test_tryon_net_is_one_graph_for_every_resolution(tmp_path):
    stage = stages.unet(tryon_net(), RESOLUTIONS, 77)
    assert export_stage(stage, "fp16", tmp_path).error < 1e-2
    onnx = OnnxStage(tmp_path / "model.onnx")
    onnx.warm_up()
    inputs = {
        name: np.zeros((3, *tensor.shape[1:]), np.float32) for name, tensor in stage.example.items()
    } | {
        "sample": np.zeros((3, 13, 24, 16), np.float32),
        NAMES[0]: np.zeros((3, 3, 12, 8, 8), np.float32),
        NAMES[1]: np.zeros((3, 4, 6, 4, 16), np.float32),
    }
    assert onnx.run(inputs)["model_output"].shape == (3, 4, 24, 16)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_every_output_is_in_single_precision(half):
    """Whatever is computed inside, the pipeline gets the same type."""
    network = garment_net().to(half)
    with torch.no_grad():
        found = network(torch.zeros(1, 4, 8, 8), torch.zeros(1), torch.zeros(1, 77, 12))
    assert {it.dtype for it in found} == {torch.float32}
