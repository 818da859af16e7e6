from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.stamps import stamp_of
from export.tensorrt_engine import BatchRange
from serving import engine_stamp
from serving.errors import CannotServe
from serving.gpu import Gpu

A10G = Gpu(0, "NVIDIA A10G", "8.6", "590.48.01", 23028, 22500)
BATCHES = [BatchRange(1, 4, 16)]
BUCKETS = [{"x": (4,)}]


def write_onnx(path, weights=1.0, operator="Mul"):
    values = numpy_helper.from_array(np.full((4, 4), weights, np.float32), "weights")
    node = helper.make_node(operator, ["x", "weights"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in "xy")
    onnx.save(helper.make_model(helper.make_graph([node], "g", [x], [y], [values])), path)
    return path


@pytest.fixture
def old(tmp_path):
    return stamp_of("11.1.0.106", A10G, write_onnx(tmp_path / "model.onnx"), BATCHES, BUCKETS, True)


def test_the_same_export_fits_whatever_the_driver(tmp_path, old):
    other = replace(A10G, driver="600.1", name="NVIDIA A40")
    wanted = stamp_of("11.1.0.106", other, tmp_path / "model.onnx", BATCHES, BUCKETS, True)
    assert old.fits(wanted)


def test_new_weights_in_the_same_graph_are_refitted_where_the_engine_allows(tmp_path, old):
    wanted = stamp_of("11.1.0.106", A10G, write_onnx(tmp_path / "model.onnx", 2.0), BATCHES, BUCKETS, True)
    assert not old.fits(wanted)
    assert old.can_be_refitted(wanted)
    assert not replace(old, refittable=False).can_be_refitted(wanted)


@pytest.mark.parametrize(
    "change",
    [
        {"tensorrt": "10.14.1.48"},
        {"gpu": replace(A10G, compute_capability="8.9")},
        {"batches": [BatchRange(1, 1, 8)]},
        {"batches": [BatchRange(1, 1, 2), BatchRange(1, 4, 16)]},
        {"buckets": [{"x": (4,)}, {"x": (6,)}]},
        {"refittable": False},
        {"operator": "Add"},
    ],
)
def test_anything_else_is_built_anew(tmp_path, old, change):
    path = write_onnx(tmp_path / "model.onnx", 2.0, change.pop("operator", "Mul"))
    options = {"tensorrt": "11.1.0.106", "gpu": A10G, "onnx": path, "batches": BATCHES, "buckets": BUCKETS}
    wanted = stamp_of(**options | {"refittable": True} | change)
    assert not old.fits(wanted)
    assert not old.can_be_refitted(wanted)


def test_a_plan_of_another_gpu_or_tensorrt_says_which(old):
    l4 = Gpu(0, "NVIDIA L4", "8.9", "590.48.01", 23034, 22000)
    assert "compute capability 8.6 (NVIDIA A10G), and NVIDIA L4 has 8.9" in old.fault("11.1.0.106", l4)
    assert "built with TensorRT 11.1.0.106, and this machine has 12.0" in old.fault("12.0", A10G)
    assert old.fault(None, None) is old.fault("11.1.0.106", A10G) is None


def test_a_stamp_is_read_as_it_was_written(tmp_path, old):
    assert engine_stamp.read(tmp_path) is None  # no plan
    (tmp_path / "model.plan").write_bytes(b"plan")
    with pytest.raises(CannotServe, match=r"model\.plan\.json is missing"):
        engine_stamp.read(tmp_path)
    old.write(tmp_path)
    assert engine_stamp.read(tmp_path) == old
