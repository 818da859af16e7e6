"""Builds a TensorRT engine ("plan") from the ONNX file of one stage.

Written for the Python API that TensorRT 10, TensorRT 11 and TensorRT-RTX share: the caller passes the module,
so `make check-tensorrt`, which compiles ahead of time without a GPU, runs the same code. Imports only the
standard library.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from export.errors import ExportError

logger = logging.getLogger(__name__)

# Called with a phase of the build, its finished steps and all its steps.
BuildProgress = Callable[[str, int, int], None]
# The shape of each input by its name, without the batch.
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class BatchRange:
    """The batch sizes that an engine accepts, and the one that TensorRT tunes it for."""

    least: int
    best: int
    most: int

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.best <= self.most:
            raise ValueError(f"a batch range must ascend from 1: {self}")


@dataclass(frozen=True)
class BuildOptions:
    """How an engine is built.

    compute_capability: name of the `trt.ComputeCapability` to compile for ahead of time, without a GPU
        (TensorRT-RTX only); None: this machine's GPU.
    workspace_bytes: scratch memory that kernels may use; None: all of the GPU's.
    refittable: whether the engine accepts new weights later; it costs a little speed.
    timing_cache: a file that keeps measured kernels between builds, or None.
    """

    compute_capability: str | None = None
    workspace_bytes: int | None = None
    refittable: bool = False
    timing_cache: Path | None = None
    on_progress: BuildProgress = field(default=lambda phase, done, steps: None)


def build_engine(
    trt: Any,
    onnx: Path,
    batches: Sequence[BatchRange],
    buckets: Sequence[Shapes],
    options: BuildOptions = BuildOptions(),
) -> bytes:
    """The serialized engine for `onnx`, whose every first dimension is the batch.

    trt: the module `tensorrt`, or `tensorrt_rtx`.
    buckets: the inputs' shapes, once for each resolution. Each becomes an optimization profile for each of
        `batches`, in which only the batch varies, so that TensorRT tunes for fixed heights and widths.
    Raises ExportError, for instance for a graph that TensorRT does not parse, a shape that does not fit the
    batch range, or too little GPU memory.
    """
    log = _logger(trt)
    builder = trt.Builder(log)
    # Strongly typed: TensorRT keeps the types of the ONNX file. TensorRT 11 always does and ignores this
    # flag.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx)):
        first = parser.get_error(0)
        where = f"{first.node_operator()} {first.node_name()}".strip()
        raise ExportError(f"{onnx}: TensorRT does not accept the node {where}: {first.desc()}")

    config = builder.create_builder_config()
    for bucket, batch in product(buckets, batches):
        profile = builder.create_optimization_profile()
        for name, shape in _inputs(network).items():
            _check_shape(onnx, name, shape, bucket)
            profile.set_shape(
                name, *((rows, *bucket[name]) for rows in (batch.least, batch.best, batch.most))
            )
        config.add_optimization_profile(profile)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # names and tactics for the inspector
    config.progress_monitor = _progress_monitor(trt, options.on_progress)
    if options.workspace_bytes is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    if options.refittable:
        config.set_flag(trt.BuilderFlag.REFIT)
    if options.compute_capability is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(trt.ComputeCapability, options.compute_capability), 0)
    if options.timing_cache is not None:
        known = options.timing_cache.read_bytes() if options.timing_cache.exists() else b""
        # None if the file is broken: then every kernel is measured again.
        timings = config.create_timing_cache(known) or config.create_timing_cache(b"")
        config.set_timing_cache(timings, ignore_mismatch=False)

    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ExportError(_explain(onnx, log.errors))
    if options.timing_cache is not None:
        _keep_timings(options.timing_cache, config.get_timing_cache().serialize())
    del parser, network  # they take gigabytes, and copying the plan needs memory too
    return bytes(plan)


def describe_layers(trt: Any, plan: bytes) -> str:
    """The engine inspector's report as JSON: each layer's shapes, precision and kernel. Needs a GPU."""
    engine = _load(trt, plan)
    report: str = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    return report


def refit_engine(trt: Any, plan: bytes, onnx: Path) -> bytes:
    """The same engine with the weights of `onnx`, in seconds instead of a build. Needs a GPU.

    Raises ExportError if the engine was not built `refittable`, or if the graph differs in more than weights.
    """
    log = _logger(trt)
    engine = _load(trt, plan)
    if not engine.refittable:
        raise ExportError("the engine was built without REFIT=1, so its weights are fixed; build a new one")
    refitter = trt.Refitter(engine, log)
    parser = trt.OnnxParserRefitter(refitter, log)
    if not parser.refit_from_file(str(onnx)):
        raise ExportError(f"{onnx} does not fit the engine: {parser.get_error(0).desc()}")
    if missing := refitter.get_missing_weights():
        raise ExportError(f"{onnx} lacks {len(missing)} of the engine's weights, the first {missing[0]}")
    if not refitter.refit_cuda_engine():
        raise ExportError(_explain(onnx, log.errors))
    config = engine.create_serialization_config()
    config.clear_flag(trt.SerializationFlag.EXCLUDE_WEIGHTS)
    return bytes(engine.serialize_with_config(config))


def _load(trt: Any, plan: bytes) -> Any:
    log = _logger(trt)
    engine = trt.Runtime(log).deserialize_cuda_engine(plan)
    if engine is None:
        reason = log.errors[0] if log.errors else "no reason given"
        raise ExportError(f"TensorRT cannot load the engine that it built: {reason}")
    return engine


def _inputs(network: Any) -> Mapping[str, tuple[int, ...]]:
    tensors = (network.get_input(index) for index in range(network.num_inputs))
    return {tensor.name: tuple(tensor.shape) for tensor in tensors}


def _check_shape(onnx: Path, name: str, shape: tuple[int, ...], bucket: Shapes) -> None:
    if not shape or shape[0] != -1:
        raise ExportError(f"{onnx}: the batch of {name} must be dynamic, and its shape is {shape}")
    wanted = bucket.get(name)
    if wanted is None:
        raise ExportError(f"{onnx}: the export has no shape for the input {name}")
    if len(wanted) != len(shape) - 1 or any(
        side not in (-1, it) for side, it in zip(shape[1:], wanted, strict=True)
    ):
        raise ExportError(f"{onnx}: {name} has the shape {shape}, and {wanted} after the batch is needed")


def _keep_timings(cache: Path, timings: bytes) -> None:
    """Write the timings; a failure is only logged, since it only makes the next build slower."""
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_bytes(timings)
    except OSError as error:
        logger.warning("TensorRT's timings could not be written to %s: %s", cache, error.strerror)


def _explain(onnx: Path, errors: list[str]) -> str:
    """The reason of a failure, from the builder's log: it returns none."""
    for line in errors:
        if "out of memory" in line.lower() or "insufficient memory" in line.lower():
            return (
                f"{onnx}: the GPU has too little memory to build this engine: stop what else runs on it, or "
                "set a smaller WORKSPACE_GB or resolution"
            )
    return f"{onnx}: TensorRT cannot build it: {errors[0] if errors else 'no reason given'}"


def _logger(trt: Any) -> Any:
    class Logger(trt.ILogger):
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.errors.append(message)

    return Logger()


def _progress_monitor(trt: Any, report: BuildProgress) -> Any:
    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            super().__init__()
            self.steps: dict[str, int] = {}

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            self.steps[phase] = steps
            report(phase, 0, steps)

        def step_complete(self, phase: str, step: int) -> bool:
            report(phase, step + 1, self.steps.get(phase, step + 1))
            return True

        def phase_finish(self, phase: str) -> None:
            steps = self.steps.pop(phase, 0)
            report(phase, steps, steps)

    return Monitor()
