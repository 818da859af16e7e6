"""ONNX Runtime with IO binding, on a processor."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from serving.stages.onnx_device_runtime import OnnxDeviceStage
from serving.stages.onnx_runtime import OnnxStage


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """double = 2 · x, shifted = x + n, of (rows, 3) and (rows,)."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    floats = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 3])
        for name in ("x", "double", "shifted")
    ]
    numbers = helper.make_tensor_value_info("n", TensorProto.INT32, ["rows", 1])
    nodes = [
        helper.make_node("Add", ["x", "x"], ["double"]),
        helper.make_node("Cast", ["n"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "real"], ["shifted"]),
    ]
    graph = helper.make_graph(nodes, "stage", [floats[0], numbers], floats[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return path


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_it_computes_what_the_cpu_profile_computes(model, rows):
    stage = OnnxDeviceStage(model, "cpu")
    stage.warm_up()
    x = torch.randn(rows, 3)
    found = stage.call({"x": x.t().contiguous().t(), "n": torch.ones(rows, 1, dtype=torch.int64)})
    expected = OnnxStage(model).run({"x": x.numpy(), "n": np.ones((rows, 1), np.int32)})
    for name, array in expected.items():
        assert np.array_equal(found[name].numpy(), array)


def test_an_answer_is_not_overwritten_by_the_next_call(model):
    stage = OnnxDeviceStage(model, "cpu")
    n = torch.zeros(1, 1, dtype=torch.int32)
    first = stage.call({"x": torch.ones(1, 3), "n": n})["double"]
    stage.call({"x": torch.zeros(1, 3), "n": n})
    assert first.tolist() == [[2, 2, 2]]
