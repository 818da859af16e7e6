"""The kernels in Triton's interpreter, which needs no GPU: `pip install triton`, then
`TRITON_INTERPRET=1 pytest tests/serving/stages/test_group_norm.py`. torch for CUDA brings Triton along."""

import os

import pytest
import torch
from torch.nn import functional

if not (os.environ.get("TRITON_INTERPRET") or torch.cuda.is_available()):
    pytest.skip("it needs a GPU, or Triton's interpreter", allow_module_level=True)
pytest.importorskip("triton")
from serving.stages.group_norm import group_norm

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SHAPES = [
    ((2, 320, 16, 16), 32),
    ((1, 128, 64, 64), 32),
    ((3, 64, 7, 5), 8),
    ((1, 1920, 8, 8), 32),
    ((2, 12, 9, 11), 3),
]


@pytest.mark.parametrize(("shape", "groups"), SHAPES)
@pytest.mark.parametrize("activate", [True, False])
@pytest.mark.parametrize("mean", [0, 30])
def test_it_equals_torch_in_float64(shape, groups, activate, mean):
    torch.manual_seed(0)
    x = (2 * torch.randn(shape) + mean).half().to(DEVICE, memory_format=torch.channels_last)
    weight, bias = (torch.randn(shape[1], device=DEVICE).half() for _ in range(2))
    wanted = functional.group_norm(x.double(), groups, weight.double(), bias.double(), 1e-5)
    wanted = functional.silu(wanted) if activate else wanted
    y = group_norm(x, groups, weight, bias, 1e-5, activate)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert float((y.double() - wanted).abs().max()) < 0.01  # of half precision


def test_tokens_whose_channels_lie_together_need_no_copy():
    x = torch.randn(2, 50, 64, device=DEVICE).transpose(1, 2)
    y = group_norm(x, 8, torch.ones(64, device=DEVICE), torch.zeros(64, device=DEVICE), 1e-5, False)
    torch.testing.assert_close(y, functional.group_norm(x, 8), rtol=1e-5, atol=1e-5)
    assert y.stride() == x.stride()
