import pytest

from serving.errors import CannotServe
from serving.stages import runtime as cpu_stage
from serving.stages.onnx_runtime import OnnxStage
from serving.stages.openvino_runtime import OpenVinoStage
from serving.stages.runtime import open_stage, runtime
from tests.serving.test_engine_stamp import write_onnx


@pytest.fixture
def processor(tmp_path, monkeypatch):
    """Writes a cpuinfo with these flags."""
    monkeypatch.delenv("CPU_RUNTIME", raising=False)

    def write(flags):
        (tmp_path / "cpuinfo").write_text(f"model name\t: a processor\nflags\t\t: fpu {flags} sse2\n")
        return tmp_path / "cpuinfo"

    return write


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("amx_bf16 avx512_bf16 amx_tile", "openvino"),
        ("avx512_bf16", "onnxruntime"),
        ("amx_bf16x", "onnxruntime"),
    ],
)
def test_openvino_where_there_are_matrix_units(processor, flags, expected):
    assert runtime(processor(flags)) == expected


def test_where_nothing_is_known_of_the_processor(processor, tmp_path):
    assert runtime(tmp_path / "none") == "onnxruntime"


def test_openvino_may_be_missing(processor, monkeypatch):
    monkeypatch.setattr(cpu_stage.importlib.util, "find_spec", lambda name: None)
    assert runtime(processor("amx_bf16")) == "onnxruntime"
    monkeypatch.setenv("CPU_RUNTIME", "openvino")
    with pytest.raises(CannotServe, match="not installed: run `make setup`"):
        runtime()


@pytest.mark.parametrize(("asked", "kind"), [("openvino", OpenVinoStage), ("onnxruntime", OnnxStage)])
def test_the_environment_decides(processor, tmp_path, monkeypatch, asked, kind):
    monkeypatch.setenv("CPU_RUNTIME", asked)
    assert runtime(processor("" if asked == "openvino" else "amx_bf16")) == asked
    assert isinstance(open_stage(write_onnx(tmp_path / "model.onnx", operator="MatMul")), kind)


def test_another_runtime(monkeypatch):
    monkeypatch.setenv("CPU_RUNTIME", "tensorflow")
    with pytest.raises(CannotServe, match="'tensorflow': set auto, onnxruntime or openvino"):
        runtime()
