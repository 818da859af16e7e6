"""TensorRT's engine on a fake TensorRT, which computes on a processor: profiles, shapes, addresses, types."""

import ctypes
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from serving.errors import CannotServe
from serving.stages.tensorrt_runtime import TensorRtStage

# least, best and most of `x` in each profile: two ranges of rows at one resolution, one at another.
PROFILES = [
    ((1, 3, 8), (1, 3, 8), (2, 3, 8)),
    ((1, 3, 8), (4, 3, 8), (16, 3, 8)),
    ((1, 3, 4), (4, 3, 4), (16, 3, 4)),
]


class DataType(Enum):
    FLOAT, HALF, INT32, INT64, BOOL = range(5)


class Context:
    """y = 2 · x, on the memory that it is told."""

    def __init__(self, fake):
        self.fake, self.profile, self.shape, self.addresses = fake, None, None, {}

    def set_optimization_profile_async(self, number, stream):
        self.profile = number
        return self.fake.has_memory

    def set_input_shape(self, name, shape):
        self.shape = shape

    def get_tensor_shape(self, name):
        return self.shape

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def execute_async_v3(self, stream):
        self.fake.ran.append((self.profile, self.shape[0]))
        count = torch.Size(self.shape).numel()
        x, y = ((ctypes.c_float * count).from_address(self.addresses[name]) for name in ("x", "y"))
        for index in range(count):
            y[index] = 2 * x[index]
        return not self.fake.fails


class FakeTensorRt:
    """The module `tensorrt`, as far as a stage uses it."""

    def __init__(self):
        self.ran, self.has_memory, self.fails, self.loads = [], True, False, True
        self.DataType = DataType
        self.TensorIOMode = SimpleNamespace(INPUT="in", OUTPUT="out")
        self.ExecutionContextAllocationStrategy = SimpleNamespace(ON_PROFILE_CHANGE="on change")
        self.Logger = lambda level: "logger"
        self.Logger.WARNING = 1
        engine = SimpleNamespace(
            num_io_tensors=2,
            num_optimization_profiles=len(PROFILES),
            get_tensor_name=lambda index: "xy"[index],
            get_tensor_mode=lambda name: "in" if name == "x" else "out",
            get_tensor_dtype=lambda name: DataType.FLOAT,
            get_tensor_profile_shape=lambda name, number: PROFILES[number],
            create_execution_context=lambda strategy: Context(self),
        )
        self.Runtime = lambda logger: SimpleNamespace(
            deserialize_cuda_engine=lambda plan: engine if self.loads else None
        )


@pytest.fixture
def trt():
    return FakeTensorRt()


@pytest.fixture
def stage(trt, tmp_path):
    (tmp_path / "model.plan").write_bytes(b"plan")
    return TensorRtStage(trt, tmp_path / "model.plan", "cpu")


@pytest.mark.parametrize(
    ("rows", "length", "profile"), [(1, 8, 0), (2, 8, 0), (3, 8, 1), (16, 8, 1), (1, 4, 2)]
)
def test_each_call_runs_on_the_profile_that_is_tuned_for_it(trt, stage, rows, length, profile):
    x = torch.randn(rows, 3, length)
    assert torch.equal(stage.call({"x": x})["y"], 2 * x)
    assert trt.ran == [(profile, rows)]


def test_inputs_are_given_in_the_engines_type_and_layout(stage):
    x = torch.arange(24).reshape(1, 8, 3).transpose(1, 2)
    assert torch.equal(stage.call({"x": x, "unknown": x})["y"], 2 * x.float())


def test_rows_that_no_profile_takes_are_an_error(stage):
    with pytest.raises(ValueError, match=r"no profile of the engine takes \{'x': \(17, 3, 8\)\}"):
        stage.call({"x": torch.zeros(17, 3, 8)})


def test_it_warms_up_every_profile_and_captures_only_what_one_takes(trt, tmp_path):
    (tmp_path / "model.plan").write_bytes(b"plan")
    captured = []

    def capture(network, buffers):
        captured.append(tuple(buffers["x"].shape))
        outputs = network(buffers)
        return lambda: None, outputs

    stage = TensorRtStage(trt, tmp_path / "model.plan", "cpu", rows=[1, 4, 32], capture=capture)
    stage.warm_up()
    assert {profile for profile, _ in trt.ran} >= {0, 1, 2}
    assert captured == [(4, 3, 8), (1, 3, 8), (4, 3, 4), (1, 3, 4)]


def test_faults_are_sentences(trt, tmp_path, stage):
    trt.fails = True
    with pytest.raises(RuntimeError, match="did not run the engine"):
        stage.call({"x": torch.zeros(1, 3, 8)})
    trt.has_memory = False
    with pytest.raises(CannotServe, match="too little memory"):
        TensorRtStage(trt, tmp_path / "model.plan", "cpu")
    trt.loads = False
    with pytest.raises(CannotServe, match="run `make export PROFILE=gpu` on this machine"):
        TensorRtStage(trt, tmp_path / "model.plan", "cpu")


@pytest.fixture
def rtx(trt, tmp_path):
    """TensorRT-RTX: opens a stage that keeps its kernels in a file, and what was read from such files."""
    kept = []
    cache = SimpleNamespace(deserialize=kept.append, serialize=lambda: b"kernels")
    config = SimpleNamespace(
        create_runtime_cache=lambda: cache,
        set_runtime_cache=lambda given: None,
        set_execution_context_allocation_strategy=lambda given: None,
    )
    trt.DynamicShapesKernelSpecializationStrategy = SimpleNamespace(EAGER="eager")
    engine = trt.Runtime("logger").deserialize_cuda_engine(b"")
    engine.create_runtime_config = lambda: config
    (tmp_path / "model.plan").write_bytes(b"plan")

    def warmed_up(kernels):
        stage = TensorRtStage(trt, tmp_path / "model.plan", "cpu", kernels=kernels)
        stage.warm_up()
        assert config.dynamic_shapes_kernel_specialization_strategy == "eager"
        return stage

    return warmed_up, kept


def test_tensorrt_rtx_keeps_what_it_compiled(rtx, tmp_path):
    """It compiles an engine's kernels when it is loaded: half a minute at each start without its cache."""
    warmed_up, kept = rtx
    for _ in range(2):
        warmed_up(tmp_path / "cache" / "unet.rtx")
    assert kept == [b"kernels"]
    assert [it.name for it in (tmp_path / "cache").iterdir()] == ["unet.rtx"], "written whole or not at all"


def test_a_cache_that_cannot_be_used_keeps_nobody_from_serving(rtx, tmp_path):
    """A file in the folder's place stands for a home that is read-only: even root cannot write there."""
    warmed_up, kept = rtx
    (tmp_path / "cache").touch()
    stage = warmed_up(tmp_path / "cache" / "unet.rtx")
    assert torch.equal(stage.call({"x": torch.ones(1, 3, 8)})["y"], torch.full((1, 3, 8), 2.0))
    assert kept == []


def test_a_write_that_fails_leaves_no_half_of_a_cache(rtx, tmp_path, monkeypatch):
    """The next start would read it."""
    warmed_up, kept = rtx

    def full(path, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    for _ in range(2):
        warmed_up(tmp_path / "cache" / "unet.rtx")
    assert kept == []
    assert not list((tmp_path / "cache").iterdir())
