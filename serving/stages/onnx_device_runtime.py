"""An exported stage on ONNX Runtime with its tensors where they lie, by IO binding: no copy to main memory.

On a GPU it needs `onnxruntime-gpu` in the place of `onnxruntime` (requirements-onnxruntime-gpu.txt).
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch

from serving.cores import available_cores
from serving.stages.onnx_runtime import smallest_shape
from serving.stages.stage import Tensors

_TYPES = {
    "tensor(float)": (torch.float32, np.float32),
    "tensor(float16)": (torch.float16, np.float16),
    "tensor(int32)": (torch.int32, np.int32),
    "tensor(int64)": (torch.int64, np.int64),
    "tensor(bool)": (torch.bool, np.bool_),
}


class OnnxDeviceStage:
    """A `model.onnx` that takes and returns tensors by name.

    device: `cuda`, or `cpu`, which computes the same without a GPU.
    """

    def __init__(self, model: Path, device: str = "cuda"):
        self.device = torch.device(device)
        if self.device.type == "cuda":
            ort.preload_dlls()  # CUDA's libraries of torch's or NVIDIA's wheels, which are on no search path
        options = ort.SessionOptions()
        options.enable_mem_pattern = False  # keeps a block of memory for every batch size ever seen
        if self.device.type == "cpu":
            options.intra_op_num_threads = available_cores()
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(model, options, providers=[_provider(self.device)])
        self._inputs = self._session.get_inputs()
        self.outputs = [output.name for output in self._session.get_outputs()]

    def call(self, inputs: Tensors) -> Tensors:
        binding = self._session.io_binding()
        held = {}  # until it has run: a binding keeps addresses alone
        for spec in self._inputs:
            kind, element = _TYPES[spec.type]
            tensor = held[spec.name] = inputs[spec.name].to(kind).contiguous()
            binding.bind_input(
                spec.name, self.device.type, 0, element, tuple(tensor.shape), tensor.data_ptr()
            )
        for name in self.outputs:
            binding.bind_output(name, self.device.type, 0)
        if self.device.type == "cuda":  # ONNX Runtime has a stream of its own, and waits for it at the end
            torch.cuda.current_stream().synchronize()
        self._session.run_with_iobinding(binding)
        values = zip(self.outputs, binding.get_outputs(), strict=True)
        return {name: torch.from_dlpack(value).clone() for name, value in values}

    def warm_up(self) -> None:
        """Run once on zeros, at the smallest length that the graph accepts for each dynamic side."""
        self.call(
            {
                spec.name: torch.zeros(
                    smallest_shape(spec.shape), dtype=_TYPES[spec.type][0], device=self.device
                )
                for spec in self._inputs
            }
        )


def _provider(device: torch.device) -> Any:
    if device.type == "cpu":
        return "CPUExecutionProvider"
    # Memory grows by the requested size only.
    options = {"arena_extend_strategy": "kSameAsRequested", "cudnn_conv_algo_search": "EXHAUSTIVE"}
    return "CUDAExecutionProvider", options
