import numpy as np
import pytest

from serving.cpu_settings import CpuSettings, read_cpu_runtime
from serving.errors import CannotServe
from serving.stages import onnx_runtime
from serving.stages import runtime as cpu_stage
from serving.stages.onnx_runtime import OnnxStage
from serving.stages.openvino_runtime import OpenVinoStage
from serving.stages.runtime import (
    ONNX_RUNTIME,
    OPENVINO,
    Runtime,
    asked_runtime,
    choose_runtime,
    installed_runtimes,
    open_stage,
)
from tests.serving.test_engine_stamp import write_onnx


@pytest.mark.parametrize(("amx", "expected"), [(True, OPENVINO), (False, ONNX_RUNTIME)])
def test_without_a_measurement_matrix_units_decide(monkeypatch, amx, expected):
    monkeypatch.setattr(cpu_stage, "has_amx", lambda: amx)
    assert choose_runtime("auto") == expected


@pytest.mark.parametrize("measured", [OPENVINO, ONNX_RUNTIME, Runtime("openvino", "fp32")])
def test_what_was_measured_decides(measured):
    assert choose_runtime("auto", measured) == measured


def test_openvino_may_be_missing(monkeypatch):
    monkeypatch.setattr(cpu_stage.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(cpu_stage, "has_amx", lambda: True)
    assert choose_runtime("auto") == ONNX_RUNTIME
    assert choose_runtime("auto", OPENVINO) == ONNX_RUNTIME  # measured before it was removed
    assert installed_runtimes() == [ONNX_RUNTIME]
    with pytest.raises(CannotServe, match="not installed: run `make setup`"):
        choose_runtime("openvino")


@pytest.mark.parametrize("measured", [OPENVINO, ONNX_RUNTIME])
@pytest.mark.parametrize(
    ("asked", "runtime", "kind"),
    [("openvino", OPENVINO, OpenVinoStage), ("onnxruntime", ONNX_RUNTIME, OnnxStage)],
)
def test_a_named_runtime_is_used_whatever_was_measured(tmp_path, asked, runtime, kind, measured):
    assert choose_runtime(asked, measured) == runtime
    assert isinstance(open_stage(write_onnx(tmp_path / "model.onnx", operator="MatMul"), runtime), kind)


@pytest.mark.parametrize("warm", [True, False])
def test_a_stage_may_come_without_a_call_of_its_own(tmp_path, monkeypatch, warm):
    called = []
    monkeypatch.setattr(OnnxStage, "warm_up", lambda stage: called.append(stage))
    stage = open_stage(write_onnx(tmp_path / "model.onnx", operator="MatMul"), ONNX_RUNTIME, warm=warm)
    assert called == [stage] * warm


def test_every_installed_runtime_computes_the_stage(tmp_path):
    """Only precisions that the processor has: of others OpenVINO takes one that it has, without a word."""
    x = np.array([[1, 2, 3, 4]], np.float32)
    assert installed_runtimes()[0] == ONNX_RUNTIME
    assert Runtime("openvino", "fp32") in installed_runtimes()
    for runtime in installed_runtimes():
        stage = open_stage(write_onnx(tmp_path / "model.onnx", operator="MatMul"), runtime)
        assert stage.run({"x": x})["y"].tolist() == [[10, 10, 10, 10]]
    assert str(OPENVINO) == "OpenVINO in bfloat16"


def test_the_environment_and_dotenv_decide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CPU_RUNTIME", raising=False)
    assert CpuSettings().cpu_runtime == "auto"
    (tmp_path / ".env").write_text("CPU_RUNTIME=openvino\n")
    assert CpuSettings().cpu_runtime == "openvino"
    monkeypatch.setenv("CPU_RUNTIME", "onnxruntime")
    assert CpuSettings().cpu_runtime == "onnxruntime"


@pytest.mark.parametrize(("given", "asked"), [("", "auto"), ("openvino", "openvino")])
def test_triton_reads_the_environment(monkeypatch, given, asked):
    monkeypatch.setenv("CPU_RUNTIME", given)
    assert asked_runtime() == asked


@pytest.mark.parametrize("read", [asked_runtime, read_cpu_runtime])
def test_an_unknown_runtime_is_refused_with_the_known_ones(monkeypatch, read):
    monkeypatch.setenv("CPU_RUNTIME", "tensorflow")
    with pytest.raises(CannotServe, match="'tensorflow'; it must be one of auto, onnxruntime, openvino"):
        read()


def test_a_session_has_no_more_threads_than_the_cgroup_allows(tmp_path, monkeypatch):
    """With a quota of one core, 32 threads were three times as slow as one."""
    given = {}
    real = onnx_runtime.ort.InferenceSession

    def session(model, options, providers):
        given["threads"] = options.intra_op_num_threads
        return real(model, options, providers=providers)

    monkeypatch.setattr("serving.stages.onnx_runtime.available_cores", lambda: 1)
    monkeypatch.setattr("serving.stages.onnx_runtime.ort.InferenceSession", session)
    OnnxStage(write_onnx(tmp_path / "model.onnx", operator="MatMul"))
    assert given == {"threads": 1}
