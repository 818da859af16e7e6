"""A chain of layers whose memory can be worked out by hand."""

import pytest
import torch
from torch import nn

from export.memory import measure, peak_bytes, table
from export.onnx_export import write_onnx
from export.stages import Stage

SIDE = 8
PLANE = SIDE * SIDE * 4  # bytes of one channel in single precision


class Chain(nn.Module):
    """2 → 16 → 2 channels; the widest moment has 16 twice, or three times where one is kept for later."""

    def __init__(self, kept):
        super().__init__()
        self.first, self.middle = nn.Conv2d(2, 16, 1), nn.Conv2d(16, 16, 1)
        self.last = nn.Conv2d(16, 2, 1)
        self.kept = kept

    def forward(self, sample):
        wide = self.first(sample)
        further = self.middle(self.middle(wide))
        return self.last(further + wide if self.kept else further)


class Attention(nn.Module):
    def forward(self, sample):
        tokens = sample.flatten(2)  # (B, 2, 64)
        return (torch.softmax(tokens.transpose(1, 2) @ tokens, -1) @ tokens.transpose(1, 2)).transpose(1, 2)


def exported(module, folder):
    stage = Stage("unet", module, {"sample": torch.zeros(2, 2, SIDE, SIDE)}, ("model_output",))
    write_onnx(stage, folder)
    return folder / "model.onnx", stage.buckets


def graph(onnx):
    import onnx as package

    return package.load(onnx)


@pytest.mark.nightly
@pytest.mark.parametrize(("kept", "planes"), [(False, 32), (True, 48)])
def test_the_peak_is_that_of_the_tensors_that_live_together(tmp_path, kept, planes):
    onnx, [bucket] = exported(Chain(kept), tmp_path)
    for batch in (1, 4):
        found = peak_bytes(graph(onnx), bucket, batch, fused_attention=False)
        assert planes * batch * PLANE <= found <= (planes + 4) * batch * PLANE


@pytest.mark.nightly
def test_fused_attention_never_writes_its_matrix(tmp_path):
    onnx, [bucket] = exported(Attention(), tmp_path)
    whole, fused = (peak_bytes(graph(onnx), bucket, 2, fused_attention=it) for it in (False, True))
    matrix = 2 * 64 * 64 * 4
    assert whole > matrix
    assert fused < matrix / 4


@pytest.mark.nightly
def test_the_table_adds_all_weights_and_lets_only_the_denoisers_batch_grow(tmp_path):
    (tmp_path / "other").mkdir()
    unet = measure(*exported(Chain(False), tmp_path), denoiser=True, fused_attention=False)
    other = measure(*exported(Chain(True), tmp_path / "other"), denoiser=False, fused_attention=False)
    found = table({"unet": unet, "other": other, "broken": None}, [(64, 64)])
    weights = (2 * 16 + 16) + (16 * 16 + 16) + (16 * 2 + 2)
    assert found["weights"] == 2 * 4 * weights
    assert found["unmeasured"] == ["broken"]
    one, two, *_ = (row["bytes"] for row in found["rows"])
    assert two - one == unet.activations[0, 2] - unet.activations[0, 1]
    assert [row["batch"] for row in found["rows"]] == [1, 2, 4, 8, 16]


def test_a_graph_that_cannot_be_read_is_not_measured(tmp_path):
    (tmp_path / "model.onnx").write_text("no graph")
    assert measure(tmp_path / "model.onnx", [{"sample": (1,)}], denoiser=True, fused_attention=True) is None
