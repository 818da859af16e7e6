"""Which runtime counts as the fastest: on stages of known speed, in a time that only they let pass."""

from types import SimpleNamespace

import numpy as np
import pytest

from serving.stages import timing
from serving.stages.figures import Figures, best
from serving.stages.runtime import ONNX_RUNTIME, OPENVINO, Runtime
from serving.stages.timing import error, example, time_stage

FP32 = Runtime("openvino", "fp32")
FP16 = Runtime("openvino", "fp16")
SHAPES = {"x": [3]}


@pytest.fixture
def clock(monkeypatch):
    """The time, in seconds; it passes in fake stages only."""
    now = SimpleNamespace(seconds=0.0, worked=0.0)
    monkeypatch.setattr(
        timing, "time", SimpleNamespace(perf_counter=lambda: now.seconds, process_time=lambda: now.worked)
    )
    return now


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"weights")
    return tmp_path / "model.onnx"


class FakeStage:
    """Takes `ms` a row, and 40 for the first call of each shape; is off by `wrong`."""

    def __init__(self, clock, ms, wrong):
        self._clock, self._ms, self._wrong, self._seen = clock, ms, wrong, set()
        self.calls = []

    def smallest_inputs(self):
        return {"x": np.zeros((1, 1), np.float32)}

    def run(self, inputs):
        rows = len(inputs["x"])
        ms = self._ms * rows + 40 * (rows not in self._seen)
        self._seen.add(rows)
        self.calls.append(rows)
        self._clock.seconds += ms / 1000
        self._clock.worked += 2 * ms / 1000
        return {"y": inputs["x"] * (1 + self._wrong)}


@pytest.fixture
def loading(clock):
    """Gives `load` of stages: {runtime: (ms a row, error)}; each takes 100 ms to load."""

    def of(speeds):
        opened = {}

        def load(model, runtime):
            clock.seconds += 0.1
            if speeds[runtime] is None:
                raise RuntimeError("Cannot compile")
            opened[runtime] = FakeStage(clock, *speeds[runtime])
            return opened[runtime]

        load.opened = opened
        return load

    return of


def test_the_first_call_of_a_shape_does_not_count(loading, model):
    speeds = {ONNX_RUNTIME: (10, 0), OPENVINO: (6, 0.004)}
    figures = time_stage(model, SHAPES, list(speeds), until=30, load=loading(speeds))
    assert figures[ONNX_RUNTIME].ms == pytest.approx({1: 10, 4: 40})
    assert figures[OPENVINO].ms == pytest.approx({1: 6, 4: 24})
    assert figures[OPENVINO].processor_ms == pytest.approx({1: 12, 4: 48})
    assert figures[OPENVINO].error == pytest.approx(0.004, rel=1e-4)
    assert best(figures) == OPENVINO


def test_runtimes_take_turns_until_the_time_is_over(loading, model, clock):
    """Other work on the machine would make one of them slow, if each had its own time."""
    speeds = {ONNX_RUNTIME: (200, 0), OPENVINO: (100, 0)}
    load = loading(speeds)
    time_stage(model, SHAPES, list(speeds), until=10, load=load)
    assert 9.5 < clock.seconds <= 11
    counts = [len(stage.calls) for stage in load.opened.values()]
    assert max(counts) - min(counts) <= 2


def test_there_is_no_time_for_a_slow_network(loading, model, clock):
    """One call of it takes longer than all may: no choice, and no minute is lost."""
    speeds = {ONNX_RUNTIME: (20_000, 0), OPENVINO: (10_000, 0)}
    figures = time_stage(model, SHAPES, list(speeds), until=30, load=loading(speeds))
    assert list(figures) == [ONNX_RUNTIME]
    assert list(figures[ONNX_RUNTIME].ms) == [1]
    assert clock.seconds < 60
    assert best(figures) == ONNX_RUNTIME


def test_large_networks_are_in_memory_one_at_a_time(loading, model, monkeypatch):
    monkeypatch.setattr(timing, "TOGETHER_BYTES", 3)
    speeds = {ONNX_RUNTIME: (10, 0), FP32: (9, 0), OPENVINO: (6, 0)}
    load = loading(speeds)
    began = []

    def noting(model, runtime):
        began.append({it: len(stage.calls) for it, stage in load.opened.items()})
        return load(model, runtime)

    figures = time_stage(model, SHAPES, list(speeds), until=30, load=noting)
    assert best(figures) == OPENVINO
    assert all(began[number][runtime] > 4 for number, runtime in [(1, ONNX_RUNTIME), (2, FP32)])


def test_a_runtime_that_cannot_compute_a_network_is_left_out(loading, model):
    speeds = {ONNX_RUNTIME: (10, 0), OPENVINO: None}
    assert list(time_stage(model, SHAPES, list(speeds), until=30, load=loading(speeds))) == [ONNX_RUNTIME]
    speeds = {ONNX_RUNTIME: None, OPENVINO: (10, 0)}
    with pytest.raises(RuntimeError, match="Cannot compile"):
        time_stage(model, SHAPES, list(speeds), until=30, load=loading(speeds))


def figures(ms, wrong=0.0, of_four=None):
    times = {1: ms, 4: of_four or 4 * ms}
    return Figures(times, times, wrong)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (figures(20, wrong=0.021), "its result is too far off"),
        (figures(20, wrong=float("inf")), "it overflows"),
        (figures(39), "it is hardly faster"),
        (figures(41), "it is slower"),
        (figures(36, of_four=200), "it is slower in a crowd by more than it is faster alone"),
    ],
)
def test_onnx_runtime_stays_where(other, why):
    assert best({ONNX_RUNTIME: figures(40), OPENVINO: other}) == ONNX_RUNTIME


def test_the_fastest_of_several_wins():
    found = {
        ONNX_RUNTIME: figures(40),
        FP32: figures(38),
        OPENVINO: figures(27),
        FP16: figures(20, wrong=0.03),
    }
    assert best(found) == OPENVINO


def test_a_small_network_stays_since_another_library_takes_memory():
    assert best({ONNX_RUNTIME: figures(0.7), OPENVINO: figures(0.4)}) == ONNX_RUNTIME


def test_float32_has_a_tolerance_of_its_own():
    assert best({ONNX_RUNTIME: figures(40), FP32: figures(20, wrong=1e-3)}) == ONNX_RUNTIME
    assert best({ONNX_RUNTIME: figures(40), FP32: figures(20, wrong=1e-6)}) == FP32


def test_the_error_is_that_of_the_worst_output():
    truth = {"a": np.array([3.0, 4.0]), "zeros": np.zeros(2)}
    assert error(truth, truth) == 0
    assert error({**truth, "a": np.array([3.3, 4.4])}, truth) == pytest.approx(0.1)
    assert error({**truth, "zeros": np.full(2, 0.2)}, truth) == pytest.approx(0.2)
    assert error({**truth, "a": np.array([3.0, np.nan])}, truth) == np.inf


def test_examples_are_what_any_network_takes():
    """Tokens are whole numbers below any vocabulary's size, a timestep is one number a row."""
    one = {
        "tokens": np.zeros((1, 5), np.int32),
        "t": np.zeros(1, np.float32),
        "x": np.zeros((1, 2), np.float32),
    }
    made = example(one, {"tokens": [77], "t": [], "x": [8, 8]}, rows=4)
    assert {name: array.shape for name, array in made.items()} == {
        "tokens": (4, 77),
        "t": (4,),
        "x": (4, 8, 8),
    }
    assert made["tokens"].dtype == np.int32
    assert np.std(made["x"]) > 0.2
    assert made["x"].min() >= 0
