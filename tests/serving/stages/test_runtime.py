import pytest

from serving.cpu_settings import CpuSettings
from serving.errors import CannotServe
from serving.stages import runtime as cpu_stage
from serving.stages.onnx_runtime import OnnxStage
from serving.stages.openvino_runtime import OpenVinoStage
from serving.stages.runtime import choose_runtime, open_stage
from tests.serving.test_engine_stamp import write_onnx


@pytest.fixture
def processor(tmp_path):
    """Writes a cpuinfo with these flags."""

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
def test_auto_is_openvino_on_processors_with_matrix_units(processor, flags, expected):
    assert choose_runtime("auto", processor(flags)) == expected


def test_auto_on_an_unknown_processor_is_onnx_runtime(tmp_path):
    assert choose_runtime("auto", tmp_path / "none") == "onnxruntime"


def test_openvino_may_be_missing(processor, monkeypatch):
    monkeypatch.setattr(cpu_stage.importlib.util, "find_spec", lambda name: None)
    assert choose_runtime("auto", processor("amx_bf16")) == "onnxruntime"
    with pytest.raises(CannotServe, match="not installed: run `make setup`"):
        choose_runtime("openvino")


@pytest.mark.parametrize(("asked", "kind"), [("openvino", OpenVinoStage), ("onnxruntime", OnnxStage)])
def test_a_named_runtime_is_used_on_every_processor(processor, tmp_path, asked, kind):
    assert choose_runtime(asked, processor("" if asked == "openvino" else "amx_bf16")) == asked
    assert isinstance(open_stage(write_onnx(tmp_path / "model.onnx", operator="MatMul"), asked), kind)


def test_the_environment_and_dotenv_decide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CPU_RUNTIME", raising=False)
    assert CpuSettings().cpu_runtime == "auto"
    (tmp_path / ".env").write_text("CPU_RUNTIME=openvino\n")
    assert CpuSettings().cpu_runtime == "openvino"
    monkeypatch.setenv("CPU_RUNTIME", "onnxruntime")
    assert CpuSettings().cpu_runtime == "onnxruntime"


def test_a_session_has_no_more_threads_than_the_cgroup_allows(tmp_path, monkeypatch):
    """With a quota of one core, 32 threads were three times as slow as one."""
    given = {}
    real = cpu_stage.OnnxStage.__init__.__globals__["ort"].InferenceSession

    def session(model, options, providers):
        given["threads"] = options.intra_op_num_threads
        return real(model, options, providers=providers)

    monkeypatch.setattr("serving.stages.onnx_runtime.available_cores", lambda: 1)
    monkeypatch.setattr("serving.stages.onnx_runtime.ort.InferenceSession", session)
    OnnxStage(write_onnx(tmp_path / "model.onnx", operator="MatMul"))
    assert given == {"threads": 1}
