"""A stage's TensorRT engine in this process: one context for each optimization profile, and CUDA graphs.

The same code runs TensorRT's and TensorRT-RTX's engines, since their Python API is the same as far as it is
used here; the caller passes the module.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from serving.errors import CannotServe
from serving.stages.cuda_graphs import Capture, CudaGraphs
from serving.stages.stage import Tensors

_TYPES = {
    "FLOAT": torch.float32,
    "HALF": torch.float16,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "BOOL": torch.bool,
}


@dataclass(frozen=True)
class _Profile:
    """The shapes of one optimization profile: least, best and most of each input, with the batch."""

    context: Any
    shapes: Mapping[str, tuple[tuple[int, ...], ...]]

    def fits(self, inputs: Tensors) -> bool:
        return all(
            least <= side <= most
            for name, (lower, _, upper) in self.shapes.items()
            for least, side, most in zip(lower, inputs[name].shape, upper, strict=True)
        )

    def distance(self, rows: int) -> int:
        """How far so many rows are from those that it was tuned for."""
        return abs(next(iter(self.shapes.values()))[1][0] - rows)

    def example(self, device: torch.device, types: Mapping[str, torch.dtype]) -> Tensors:
        """One row of zeros for each input."""
        return {
            name: torch.zeros((1, *best[1:]), dtype=types[name], device=device)
            for name, (_, best, _) in self.shapes.items()
        }


class TensorRtStage:
    """A `model.plan` that takes and returns tensors by name.

    trt: the module `tensorrt`, or `tensorrt_rtx`.
    rows: the numbers of rows that get CUDA graphs. capture: captures them.
    kernels: a file that keeps the kernels that TensorRT-RTX compiles when it loads an engine, or None.
    """

    def __init__(
        self,
        trt: Any,
        plan: Path,
        device: str = "cuda",
        rows: Sequence[int] = (),
        capture: Capture | None = None,
        kernels: Path | None = None,
    ):
        self.device = torch.device(device)
        self._logger = trt.Logger(trt.Logger.WARNING)
        self._runtime = trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(plan.read_bytes())
        if self._engine is None:
            raise CannotServe(f"TensorRT cannot load {plan}: run `make export PROFILE=gpu` on this machine")
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        is_input = {name: self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names}
        self._inputs = [name for name in names if is_input[name]]
        self.outputs = [name for name in names if not is_input[name]]
        kinds = {getattr(trt.DataType, name): kind for name, kind in _TYPES.items()}
        self._types = {name: kinds[self._engine.get_tensor_dtype(name)] for name in names}
        self._kernels = kernels
        self._runtime_cache: Any = None
        context = self._contexts(trt)
        self._profiles = [
            self._profile(context(), number) for number in range(self._engine.num_optimization_profiles)
        ]
        self._graphs = CudaGraphs(self._compute, capture)
        self._rows = tuple(rows)

    def call(self, inputs: Tensors) -> Tensors:
        return self._graphs({name: inputs[name].to(self._types[name]) for name in self._inputs})

    def warm_up(self) -> None:
        """Run each profile once, capture the graphs, and keep what TensorRT-RTX has compiled."""
        for profile in self._profiles:
            self.call(profile.example(self.device, self._types))
        for example in self._resolutions():
            self._graphs.add(example, [count for count in self._rows if self._takes(example, count)])
        if self._runtime_cache is not None and self._kernels is not None:
            _keep(self._kernels, bytes(self._runtime_cache.serialize()))

    def _contexts(self, trt: Any) -> Any:
        """Makes an execution context. Its memory is that of its profile, not the largest one's.

        TensorRT-RTX compiles kernels when it loads an engine. It must compile them for the very shapes: a
        graph that captures a general kernel would keep it.
        """
        on_change = trt.ExecutionContextAllocationStrategy.ON_PROFILE_CHANGE
        if not hasattr(trt, "DynamicShapesKernelSpecializationStrategy"):
            return lambda: self._engine.create_execution_context(on_change)
        config = self._engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(on_change)
        eager = trt.DynamicShapesKernelSpecializationStrategy.EAGER
        config.dynamic_shapes_kernel_specialization_strategy = eager
        self._runtime_cache = config.create_runtime_cache()
        if self._kernels is not None:
            with suppress(OSError):  # none are kept
                self._runtime_cache.deserialize(self._kernels.read_bytes())  # refuses what does not fit
        config.set_runtime_cache(self._runtime_cache)
        return lambda: self._engine.create_execution_context(config)

    def _profile(self, context: Any, number: int) -> _Profile:
        if context is None or not context.set_optimization_profile_async(number, _stream(self.device)):
            raise CannotServe(
                "the GPU has too little memory for the engines: stop what else runs on it, or export a "
                "smaller resolution (pipeline.json)"
            )
        shapes = {
            name: tuple(tuple(it) for it in self._engine.get_tensor_profile_shape(name, number))
            for name in self._inputs
        }
        return _Profile(context, shapes)

    def _resolutions(self) -> list[Tensors]:
        """One row for each resolution, of which several profiles may take different rows."""
        examples = (profile.example(self.device, self._types) for profile in self._profiles)
        known = {tuple(it.shape for it in example.values()): example for example in examples}
        return list(known.values())

    def _takes(self, example: Tensors, rows: int) -> bool:
        inputs = {name: one.expand(rows, *one.shape[1:]) for name, one in example.items()}
        return any(profile.fits(inputs) for profile in self._profiles)

    def _compute(self, inputs: Tensors) -> Tensors:
        rows = len(next(iter(inputs.values())))
        fitting = [profile for profile in self._profiles if profile.fits(inputs)]
        if not fitting:
            shapes = {name: tuple(it.shape) for name, it in inputs.items()}
            raise ValueError(f"no profile of the engine takes {shapes}")
        context = min(fitting, key=lambda profile: profile.distance(rows)).context
        held = {name: tensor.contiguous() for name, tensor in inputs.items()}
        for name, tensor in held.items():
            context.set_input_shape(name, tuple(tensor.shape))
            context.set_tensor_address(name, tensor.data_ptr())
        outputs = {
            name: torch.empty(
                tuple(context.get_tensor_shape(name)), dtype=self._types[name], device=self.device
            )
            for name in self.outputs
        }
        for name, tensor in outputs.items():
            context.set_tensor_address(name, tensor.data_ptr())
        if not context.execute_async_v3(_stream(self.device)):
            raise RuntimeError("TensorRT did not run the engine; its log says why")
        return outputs


def _keep(path: Path, data: bytes) -> None:
    """Whole or not at all. A folder that cannot be written costs the next start time, and no more."""
    partial = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _stream(device: torch.device) -> int:
    """The stream of this thread; on a GPU while a graph is captured, the one that is captured."""
    return int(torch.cuda.current_stream().cuda_stream) if device.type == "cuda" else 0
