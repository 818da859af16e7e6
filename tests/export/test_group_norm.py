"""Without it an export at 1024 × 768 was refused: ONNX Runtime adds a group's values one after another."""

from contextlib import nullcontext

import onnx
import pytest
import torch
from torch import nn

from export.group_norm import MOST_VALUES, contiguous_norms, in_rows, large_norms_in_rows
from export.onnx_export import export_stage
from export.stages import Stage


class Network(nn.Module):
    """Two group norms, of which the second has a quarter of the values."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.GroupNorm(2, 8), nn.GroupNorm(2, 8)
        for parameter in self.parameters():
            nn.init.normal_(parameter)

    def forward(self, pixels):
        return self.second(nn.functional.avg_pool2d(self.first(pixels), 2))


def pictures(*sides, outlier=100):
    torch.manual_seed(0)
    pixels = torch.randn(2, 8, *sides)
    pixels[..., :10, :10] *= outlier
    return pixels


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return Network()


@pytest.mark.parametrize("shape", [(2, 8, 20, 30), (2, 8, 50), (1, 8, 4, 5, 6)])
@pytest.mark.parametrize("affine", [True, False])
def test_a_norm_in_rows_is_the_same_norm(shape, affine):
    norm = nn.GroupNorm(4, 8, eps=1e-3, affine=affine)
    x = torch.randn(shape) + 3
    torch.testing.assert_close(in_rows(norm, x), norm(x), atol=1e-5, rtol=1e-5)


@pytest.mark.nightly
def test_large_norms_are_as_exact_in_onnx_as_in_torch(network, tmp_path):
    large, small = {"pixels": pictures(640, 448)}, {"pixels": pictures(128, 64)}
    stage = Stage("vae_encoder", network, large, ("it",), further=(small,))
    parity = export_stage(stage, "fp32", tmp_path)
    assert parity.error < 5e-6
    operators = [node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node]
    assert (operators.count("ReduceL2"), operators.count("InstanceNormalization")) == (1, 1)


def test_only_large_norms_are_changed_and_only_for_the_export(network):
    for height, changed in ((512, []), (513, [network.first])):
        with large_norms_in_rows(network, {"pixels": torch.zeros(1, 8, height, MOST_VALUES // 4 // 512)}):
            assert [it for it in (network.first, network.second) if "forward" in vars(it)] == changed
        assert "forward" not in vars(network.first)


@pytest.mark.nightly
def test_half_precision_keeps_the_operator(network, tmp_path):
    stage = Stage("vae_encoder", network, {"pixels": pictures(640, 448, outlier=1)}, ("it",))
    export_stage(stage, "fp16", tmp_path)
    assert "ReduceL2" not in {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}


def test_torchs_own_norm_is_exact_with_contiguous_tensors_only(network):
    """The reference of an export's check was the wrong one: a VAE's attention makes tensors channels-last."""
    pixels = pictures(640, 448)
    with torch.no_grad():
        expected = network.double()(pixels.double())
        network.float()
        errors = []
        for context in (nullcontext(), contiguous_norms(network)):
            with context:
                found = network(pixels.to(memory_format=torch.channels_last))
            errors.append(((found - expected).abs().max() / expected.abs().max()).item())
    assert errors[1] < 2e-6
    assert errors[0] > 5 * errors[1]
