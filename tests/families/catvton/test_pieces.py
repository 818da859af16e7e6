import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from export.onnx_export import export_stage
from families.catvton import pieces
from families.catvton.family import UNET
from families.catvton.networks import UNet
from tests.families.catvton.vectors import RESOLUTION, load


def processors(unet):
    return {name: it for name, it in unet.attn_processors.items() if isinstance(it, pieces.InPieces)}


def test_only_what_is_too_large_is_taken_in_pieces():
    """At the full size, a matrix of the first level would take 19 GB, of the second 1.2."""
    assert [pieces.pieces((1024, 768), level, heads=8) for level in range(4)] == [16, 1, 1, 1]
    assert [pieces.pieces((512, 384), level, heads=8) for level in range(4)] == [1, 1, 1, 1]


def test_the_pieces_together_are_the_whole(stages, monkeypatch):
    monkeypatch.setattr(pieces, "_MOST_BYTES", 10_000_000)
    unet = pieces.in_pieces(copy.deepcopy(stages[UNET].module.unet), RESOLUTION)
    counts = {name.split(".attentions")[0]: it.pieces for name, it in processors(unet).items()}
    assert counts["down_blocks.0"] == counts["up_blocks.3"] == 8
    assert "mid_block" not in counts
    vector = load("unet_forward")
    with torch.no_grad():
        found = UNet(unet)(torch.from_numpy(vector["sample"]), torch.from_numpy(vector["timestep"]).float())
    assert np.abs(found.numpy() - vector["output"]).max() < 1e-4


@pytest.mark.nightly
@pytest.mark.timeout(900)  # tracing on a busy machine
def test_several_resolutions_share_a_graph_with_pieces(stages, monkeypatch, tmp_path):
    monkeypatch.setattr(pieces, "_MOST_BYTES", 2_000_000)
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        in_channels=9,
        block_out_channels=(8, 8),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        attention_head_dim=2,
        norm_num_groups=2,
        cross_attention_dim=8,
    ).eval()
    network = UNet(pieces.in_pieces(unet, (128, 192)))
    assert {it.pieces for it in processors(unet).values()} == {4}
    examples = [
        {"sample": torch.randn(2, 9, 2 * height // 8, width // 8), "timestep": torch.tensor([981.0, 261.0])}
        for height, width in ((128, 64), (128, 192))
    ]
    stage = replace(stages[UNET], module=network, example=examples[0], further=(examples[1],))
    assert export_stage(stage, "fp32", tmp_path).error < 1e-4
