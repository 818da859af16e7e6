"""The builder's own lines; `make check-tensorrt` runs them on TensorRT-RTX."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from export.errors import ExportError
from export.tensorrt_engine import BatchRange, BuildOptions, build_engine, refit_engine


class FakeTensorRT:
    """As much of the `tensorrt` module as a build touches; remembers what it was told."""

    ILogger = type("ILogger", (), {"INTERNAL_ERROR": 0, "ERROR": 1})
    IProgressMonitor = object
    NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=0)
    ProfilingVerbosity = SimpleNamespace(DETAILED="detailed")
    MemoryPoolType = SimpleNamespace(WORKSPACE="workspace")
    BuilderFlag = SimpleNamespace(REFIT="refit")
    ComputeCapability = SimpleNamespace(SM86="sm86")

    def __init__(self, shape=(-1, 9, 8, 8), parses=True, fails_with=None):
        self.shape, self.parses, self.fails_with = shape, parses, fails_with
        self.told = {}

    def OnnxParser(self, network, logger):
        fault = SimpleNamespace(
            node_operator=lambda: "Det", node_name=lambda: "node_7", desc=lambda: "no such operator"
        )
        return SimpleNamespace(parse_from_file=lambda path: self.parses, get_error=lambda index: fault)

    def Builder(self, logger):
        told = self.told
        sample = SimpleNamespace(name="sample", shape=self.shape)

        class Config:
            def add_optimization_profile(self, profile):
                told.setdefault("profiles", []).append(profile.shapes)

            def set_memory_pool_limit(self, pool, limit):
                told[pool] = limit

            def set_flag(self, flag):
                told[flag] = True

            def set_compute_capability(self, capability, index):
                told["capability"] = capability

            def create_timing_cache(self, known):
                return None if known == b"broken" else known

            def set_timing_cache(self, cache, ignore_mismatch):
                told["known timings"] = cache

            def get_timing_cache(self):
                return SimpleNamespace(serialize=lambda: b"timings")

        class Profile:
            def __init__(self):
                self.shapes = {}

            def set_shape(self, name, *shapes):
                self.shapes[name] = shapes

        def build(network, config):
            config.progress_monitor.phase_start("Tactics", None, 2)
            config.progress_monitor.step_complete("Tactics", 0)
            config.progress_monitor.phase_finish("Tactics")
            if self.fails_with is not None:
                logger.log(FakeTensorRT.ILogger.ERROR, self.fails_with)
                return None
            return b"plan"

        return SimpleNamespace(
            create_network=lambda flags: SimpleNamespace(num_inputs=1, get_input=lambda index: sample),
            create_builder_config=Config,
            create_optimization_profile=Profile,
            build_serialized_network=build,
        )


ONNX = Path("unet/model.onnx")
BATCH = BatchRange(1, 4, 16)
BUCKETS = [{"sample": (9, 8, 8)}]


def test_a_profile_has_the_batches_and_the_buckets_shape():
    trt = FakeTensorRT()
    assert build_engine(trt, ONNX, [BATCH], BUCKETS) == b"plan"
    assert trt.told == {"profiles": [{"sample": ((1, 9, 8, 8), (4, 9, 8, 8), (16, 9, 8, 8))}]}


def test_every_resolution_has_a_profile_with_static_sides():
    trt = FakeTensorRT(shape=(-1, 9, -1, 8))
    build_engine(trt, ONNX, [BATCH], [{"sample": (9, 8, 8)}, {"sample": (9, 12, 8)}])
    assert [profile["sample"][2] for profile in trt.told["profiles"]] == [(16, 9, 8, 8), (16, 9, 12, 8)]


def test_an_engine_is_tuned_for_few_rows_beside_many():
    trt = FakeTensorRT()
    build_engine(trt, ONNX, [BatchRange(1, 1, 2), BATCH], BUCKETS)
    assert [[shape[0] for shape in profile["sample"]] for profile in trt.told["profiles"]] == [
        [1, 1, 2], [1, 4, 16],
    ]  # fmt: skip


def test_every_option_reaches_tensorrt(tmp_path):
    seen = []
    cache = tmp_path / "cache" / "timings"
    options = BuildOptions("SM86", 1 << 30, True, cache, lambda *step: seen.append(step))
    for known in (b"", b"timings"):
        trt = FakeTensorRT()
        build_engine(trt, ONNX, [BATCH], BUCKETS, options)
        assert trt.told.pop("profiles")
        assert trt.told == {
            "workspace": 1 << 30, "refit": True, "capability": "sm86", "known timings": known,
        }  # fmt: skip
    assert seen[:3] == [("Tactics", 0, 2), ("Tactics", 1, 2), ("Tactics", 2, 2)]


@pytest.mark.parametrize(
    ("fake", "message"),
    [
        (FakeTensorRT(parses=False), "does not accept the node Det node_7: no such operator"),
        (FakeTensorRT(shape=(2, 9, 8, 8)), "the batch of sample must be dynamic"),
        (
            FakeTensorRT(shape=(-1, 9, 8, 16)),
            r"sample has the shape \(-1, 9, 8, 16\), and \(9, 8, 8\) after the batch is needed",
        ),
        (
            FakeTensorRT(shape=(-1, 9, 8)),
            r"sample has the shape \(-1, 9, 8\), and \(9, 8, 8\) after the batch is needed",
        ),
        (FakeTensorRT(fails_with="Cuda Runtime (out of memory)"), "too little memory .* WORKSPACE_GB"),
        (FakeTensorRT(fails_with="Requested amount of GPU memory: Insufficient memory"), "too little memory"),
        (FakeTensorRT(fails_with="no kernel"), "cannot build it: no kernel"),
    ],
)
def test_a_graph_that_cannot_be_built_is_reported_in_one_sentence(fake, message):
    with pytest.raises(ExportError, match=f"^unet/model.onnx: .*{message}") as error:
        build_engine(fake, ONNX, [BATCH], BUCKETS)
    assert "\n" not in str(error.value)


def test_an_engine_is_built_even_if_its_timings_cannot_be_written(tmp_path, caplog):
    """The image's file system is read-only: a home folder is no place for them."""
    (tmp_path / "file").touch()
    options = BuildOptions(timing_cache=tmp_path / "file" / "timings")
    assert build_engine(FakeTensorRT(), ONNX, [BATCH], BUCKETS, options) == b"plan"
    assert "timings could not be written" in caplog.text


def test_broken_timings_are_measured_anew(tmp_path):
    (tmp_path / "timings").write_bytes(b"broken")
    trt = FakeTensorRT()
    build_engine(trt, ONNX, [BATCH], BUCKETS, BuildOptions(timing_cache=tmp_path / "timings"))
    assert trt.told["known timings"] == b""


def test_a_failed_build_leaves_the_timings_alone(tmp_path):
    with pytest.raises(ExportError):
        build_engine(
            FakeTensorRT(fails_with="x"), ONNX, [BATCH], BUCKETS, BuildOptions(timing_cache=tmp_path / "t")
        )
    assert not (tmp_path / "t").exists()


def test_an_engine_with_fixed_weights_is_not_refitted():
    engine = SimpleNamespace(refittable=False)
    trt = FakeTensorRT()
    trt.Runtime = lambda logger: SimpleNamespace(deserialize_cuda_engine=lambda plan: engine)
    with pytest.raises(ExportError, match="REFIT=1"):
        refit_engine(trt, b"plan", ONNX)


@pytest.mark.parametrize("batches", [(0, 1, 2), (2, 1, 4), (1, 8, 4)])
def test_a_range_ascends(batches):
    with pytest.raises(ValueError, match="must ascend from 1"):
        BatchRange(*batches)
