"""The engines that are compared: each is made for one network and resolution, then bound to inputs.

`largest` are inputs of the largest batch. `bind` returns a function that runs the network on those inputs,
which the caller may overwrite in place between two runs.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.networks import Inputs

Run = Callable[[], Tensor]


class Skipped(Exception):
    """This machine lacks something that the engine needs."""


class Eager:
    """diffusers without changes."""

    def __init__(self, network: nn.Module, largest: Inputs, folder: Path):
        self.network = network

    def bind(self, inputs: Inputs) -> Run:
        return lambda: self.network(**inputs)


class Compiled(Eager):
    """torch.compile, without CUDA graphs of its own."""

    def __init__(self, network: nn.Module, largest: Inputs, folder: Path):
        torch._dynamo.reset()
        self.network = torch.compile(network, fullgraph=True, dynamic=False)


class CudaGraph(Eager):
    """The eager kernels, launched as one graph."""

    def __init__(self, network: nn.Module, largest: Inputs, folder: Path):
        if not torch.cuda.is_available():
            raise Skipped("CUDA graphs need a GPU")
        super().__init__(network, largest, folder)

    def bind(self, inputs: Inputs) -> Run:
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):  # cuDNN chooses its kernels before the capture
            for _ in range(3):
                self.network(**inputs)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = self.network(**inputs)

        def run() -> Tensor:
            graph.replay()
            return output

        return run


class OnnxRuntime:
    """ONNX Runtime, with inputs and outputs that stay on the device."""

    def __init__(self, network: nn.Module, largest: Inputs, folder: Path):
        try:
            import onnxruntime
        except ImportError as error:
            raise Skipped(f"no onnxruntime ({error})") from error
        device = next(iter(largest.values())).device.type
        provider = "CUDAExecutionProvider" if device == "cuda" else "CPUExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise Skipped(f"this onnxruntime has no {provider}: install onnxruntime-gpu")
        self.session = onnxruntime.InferenceSession(
            write_onnx(network, largest, folder), providers=[provider]
        )
        self.network = network

    def bind(self, inputs: Inputs) -> Run:
        output = contiguous_output(self.network, inputs)
        binding = self.session.io_binding()
        [output_name] = [it.name for it in self.session.get_outputs()]
        for name, tensor in {**inputs, output_name: output}.items():
            bind = binding.bind_output if tensor is output else binding.bind_input
            kind = torch.empty(0, dtype=tensor.dtype).numpy().dtype
            bind(name, tensor.device.type, 0, kind, tuple(tensor.shape), tensor.data_ptr())

        def run() -> Tensor:
            self.session.run_with_iobinding(binding)
            return output

        return run


class TensorRT:
    """A strongly typed engine for batches from 1 to the largest, tuned for 4, as it is served."""

    def __init__(self, network: nn.Module, largest: Inputs, folder: Path):
        if not torch.cuda.is_available():
            raise Skipped("TensorRT needs a GPU")
        try:
            import tensorrt as trt
        except ImportError as error:
            raise Skipped(f"no tensorrt ({error})") from error
        logger = trt.Logger(trt.Logger.ERROR)
        builder = trt.Builder(logger)
        definition = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = trt.OnnxParser(definition, logger)
        if not parser.parse_from_file(write_onnx(network, largest, folder)):
            raise RuntimeError(parser.get_error(0).desc())
        config, profile = builder.create_builder_config(), builder.create_optimization_profile()
        for name, tensor in largest.items():
            most, *shape = tensor.shape
            profile.set_shape(name, *((rows, *shape) for rows in (1, min(4, most), most)))
        config.add_optimization_profile(profile)
        plan = builder.build_serialized_network(definition, config)
        self.engine = trt.Runtime(logger).deserialize_cuda_engine(plan)
        self.network = network

    def bind(self, inputs: Inputs) -> Run:
        output = contiguous_output(self.network, inputs)
        context = self.engine.create_execution_context()
        for name, tensor in inputs.items():
            context.set_input_shape(name, tuple(tensor.shape))
            context.set_tensor_address(name, tensor.data_ptr())
        context.set_tensor_address("output", output.data_ptr())

        def run() -> Tensor:
            context.execute_async_v3(torch.cuda.current_stream().cuda_stream)
            return output

        return run


ENGINES: dict[str, Any] = {
    "eager": Eager,
    "compile": Compiled,
    "cuda_graph": CudaGraph,
    "onnxruntime": OnnxRuntime,
    "tensorrt": TensorRT,
}


def contiguous_output(network: nn.Module, inputs: Inputs) -> Tensor:
    """An empty contiguous output, as engines write it; torch's own output may have another memory layout."""
    return torch.empty_like(network(**inputs), memory_format=torch.contiguous_format)


def write_onnx(network: nn.Module, largest: Inputs, folder: Path) -> str:
    """Write `folder`/model.onnx with a dynamic batch, once, and return its path."""
    path = folder / "model.onnx"
    if not path.exists():
        try:
            import onnxscript  # noqa: F401  (torch's exporter needs it)
        except ImportError as error:
            raise Skipped(f"no onnxscript, which torch exports ONNX with ({error})") from error
        batch = torch.export.Dim("batch", min=1, max=64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's exporter warns about its own internals
            program = torch.onnx.export(
                network,
                kwargs=largest,
                input_names=list(largest),
                output_names=["output"],
                dynamic_shapes={name: {0: batch} for name in largest},
                opset_version=20,
                dynamo=True,
                verbose=False,
            )
        folder.mkdir(parents=True, exist_ok=True)
        program.save(path, external_data=True)
    return str(path)
