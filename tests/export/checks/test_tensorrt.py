import json
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from export.checks import tensorrt
from export.checks.tensorrt import compile_all, write_batch_ranges, write_controls
from tests.import_closure import closure


@pytest.fixture
def unet(tmp_path):
    """A graph with the UNet's border."""
    shapes = {"sample": ["batch", 9, 8, 8], "timestep": ["batch"], "prompt_embeds": ["batch", 77, 32]}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    output = helper.make_tensor_value_info("model_output", TensorProto.FLOAT, ["batch", 9, 8, 8])
    node = helper.make_node("Identity", ["sample"], ["model_output"])
    onnx.save(helper.make_model(helper.make_graph([node], "g", inputs, [output])), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_each_control_has_one_fault_and_no_other(unet, tmp_path):
    """A control that is refused for another reason proves nothing."""
    write_controls(unet, tmp_path / "controls")
    good = onnx.load(unet)
    graphs = {path.stem: onnx.load(path) for path in (tmp_path / "controls").iterdir()}
    assert set(graphs) == {"unsupported_operator", "static_batch", "wrong_channels"}

    odd = graphs["unsupported_operator"].graph
    assert [node.op_type for node in odd.node] == ["Identity", "Det"]
    assert odd.node[-1].output == ["model_output"]
    assert list(odd.input) == list(good.graph.input)

    static = graphs["static_batch"].graph
    assert [value.type.tensor_type.shape.dim[0].dim_value for value in static.input] == [2, 2, 2]
    assert list(static.node) == list(good.graph.node)

    channels = graphs["wrong_channels"].graph
    assert [dim.dim_value for dim in channels.input[0].type.tensor_type.shape.dim][1:] == [8, 8, 8]
    assert list(channels.input)[1:] == list(good.graph.input)[1:]


def test_a_folder_without_graphs_is_no_success(tmp_path, capsys):
    assert compile_all(tmp_path) == 1
    assert "nothing to compile" in capsys.readouterr().out


def test_the_second_step_runs_where_only_tensorrt_rtx_is_installed():
    """Its environment has no protobuf: an import of export.engines once kept it from starting."""
    _, others = closure(Path(tensorrt.__file__), lazily=False)
    assert others <= set(sys.stdlib_module_names)


def test_the_first_step_writes_the_batch_ranges_for_the_second(tmp_path):
    write_batch_ranges(tmp_path)
    ranges = json.loads((tmp_path / "batch_ranges.json").read_text())
    assert [list(batch.values()) for batch in ranges["unet"]] == [[1, 1, 2], [1, 4, 16]]
