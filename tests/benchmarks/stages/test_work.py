"""Multiply-adds and bytes of graphs that one can count by hand."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.stages.work import Work, work_of


def save(path, nodes, inputs, outputs, weights):
    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    graph = helper.make_graph(
        nodes,
        "graph",
        [value(*it) for it in inputs.items()],
        [value(*it) for it in outputs.items()],
        [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
    return path


def test_a_convolution(tmp_path):
    """4 × 4 outputs of 8 channels, each a sum over a window of 3 × 3 of one of two groups of 3 channels."""
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=2, pads=[1, 1, 1, 1])
    path = save(tmp_path / "m.onnx", [node], {"x": (6, 4, 4)}, {"y": (8, 4, 4)}, {"w": (8, 3, 3, 3)})
    assert work_of(path, {"x": (6, 4, 4)}) == Work(8 * 16 * 27, 4 * (8 * 27 + 6 * 16 + 8 * 16))


def test_products_of_a_batch(tmp_path):
    """What is between the inputs and the outputs is multiplied, too, and not counted as bytes."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "v"], ["y"], transB=1),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"x": (5,)}, {"y": (2,)}, {"w": (5, 7), "v": (2, 7)})
    assert work_of(path, {"x": (5,)}, rows=3) == Work(3 * (35 + 14), 4 * (35 + 14 + 15 + 6))
