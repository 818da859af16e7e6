"""The stage on torch, on the CPU: the same code runs on a GPU, with CUDA graphs."""

import numpy as np
import pytest
import torch
from torch import nn

from export.program_file import write_program
from export.stages import Stage
from serving.errors import CannotServe
from serving.stages.torch_runtime import NAME, TorchStage


class Network(nn.Module):
    """A convolution, an attention and two outputs, as a denoiser has them."""

    def __init__(self):
        super().__init__()
        self.before = nn.Conv2d(4, 8, 3, padding=1)
        self.after = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, sample, timestep):
        x = self.before(sample) * torch.cos(timestep)[:, None, None, None]
        flat = x.flatten(2).transpose(1, 2)[:, None]
        attended = nn.functional.scaled_dot_product_attention(flat, flat, flat)[:, 0].transpose(1, 2)
        return self.after(x + attended.reshape(x.shape)), x.mean((1, 2, 3))


def inputs(rows, side=8):
    given = torch.Generator().manual_seed(rows)
    return {
        "sample": torch.randn(rows, 4, side, side, generator=given),
        "timestep": torch.rand(rows, generator=given),
    }


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture(scope="module")
def model(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    batch = torch.export.Dim("batch", min=1, max=16)
    side = torch.export.Dim("side", min=1, max=8)
    shapes = {"sample": {0: batch, 2: 4 * side, 3: 4 * side}, "timestep": {0: batch}}
    outputs = ("model_output", "mean")
    write_program(Stage("network", network, inputs(2), outputs, (inputs(2, 12),)), shapes, folder)
    return folder / NAME


@pytest.fixture(scope="module")
def stage(model):
    stage = TorchStage(model, "cpu")
    stage.warm_up()
    return stage


@pytest.mark.parametrize(("rows", "side"), [(1, 8), (2, 8), (7, 8), (3, 12)])
def test_it_computes_what_the_network_computes(stage, network, rows, side):
    given = inputs(rows, side)
    with torch.no_grad():
        expected, mean = network(**given)
    found = stage.call(given)
    assert list(found) == ["model_output", "mean"]
    np.testing.assert_allclose(found["model_output"], expected, atol=1e-5)
    np.testing.assert_allclose(found["mean"], mean, atol=1e-5)


def test_a_row_does_not_depend_on_the_others(stage):
    given = inputs(4)
    alone = stage.call({name: tensor[2:3] for name, tensor in given.items()})
    together = stage.call(given)
    torch.testing.assert_close(alone["model_output"], together["model_output"][2:3])


def test_tensors_stay_tensors_and_carry_no_gradients(stage):
    answer = stage.call(inputs(1))
    assert all(isinstance(tensor, torch.Tensor) and not tensor.requires_grad for tensor in answer.values())
    assert all(tensor.is_contiguous() for tensor in answer.values()), "Triton takes no other layout"


def test_convolutions_have_the_layout_that_fast_kernels_want(stage):
    weights = [it for it in stage._module.parameters() if it.ndim == 4]
    assert len(weights) == 2
    assert all(it.is_contiguous(memory_format=torch.channels_last) for it in weights)


def test_an_example_is_one_row_at_each_resolution_of_the_export(stage):
    assert [stage.example(bucket)["sample"].shape[2] for bucket in (0, 1)] == [8, 12]
    assert stage.example()["timestep"].shape == (1,)


def test_on_a_cpu_no_graph_is_captured(model):
    stage = TorchStage(model, "cpu", rows=[1, 2])
    stage.warm_up()
    assert len(stage._graphs) == 0


@pytest.mark.parametrize("content", [None, b"git lfs pointer"])
def test_a_broken_file_is_one_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / NAME).write_bytes(content)
    with pytest.raises(CannotServe, match=r"model\.pt2 is missing or broken: export again"):
        TorchStage(tmp_path / NAME, "cpu")


def test_a_program_that_describes_no_tensors_is_one_sentence(tmp_path):
    """As one that another version of the export has written."""
    program = torch.export.export(nn.Identity(), (torch.ones(1),))
    torch.export.save(program, tmp_path / NAME, extra_files={"other.json": "{}"})
    with pytest.raises(CannotServe, match=r"model\.pt2 cannot be read by torch .* export again"):
        TorchStage(tmp_path / NAME, "cpu")


class Asserting(nn.Module):
    """Asserts of its batch what torch 2.11's export asserted of every network's: that it is not 1."""

    def forward(self, sample):
        torch.ops.aten._assert_scalar.default(sample.shape[0] != 1, "Runtime assertion failed")
        return 2 * sample


def test_an_assertion_about_the_exports_example_refuses_no_row(tmp_path):
    """It kept `tryon` from starting on torch 2.11."""
    batch = torch.export.Dim("batch", min=1, max=16)
    example = {"sample": torch.ones(2, 4)}
    write_program(Stage("it", Asserting(), example, ("model_output",)), {"sample": {0: batch}}, tmp_path)
    stage = TorchStage(tmp_path / NAME, "cpu")
    assert stage.call({"sample": torch.ones(1, 4)})["model_output"].tolist() == [[2] * 4]
