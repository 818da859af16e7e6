"""An exported stage on OpenVINO, in a precision that the processor has units for.

Matrix units (AMX) multiply bfloat16 several times as fast as vector units multiply float32, and vector units
with bfloat16 (AVX-512 BF16) up to twice as fast. ONNX Runtime's CPU provider has no bfloat16. It has the
range of float32, so nothing overflows. Its 8 bits of significand change lucy-tiny's outputs by 0.5 % (root
mean square): not visible. In float16 a large network may overflow, so timing.py compares results.

A timestep is no such number: its sinusoids are of angles up to 1000, which 8 bits round to multiples of 4. So
they are computed in single precision before; otherwise a network of FASHN VTON's kind is wrong by 8 %.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
from openvino import opset13

from serving.cores import available_cores
from serving.stages.onnx_runtime import smallest_shape
from serving.stages.runtime import Precision

_NAMES: dict[Precision, str] = {"bf16": "bf16", "fp16": "f16", "fp32": "f32"}
WARM_ROWS = 4  # larger batches are rare; OpenVINO compiles kernels for each batch size when it first sees it


class OpenVinoStage:
    """A `model.onnx` that takes and returns NumPy arrays by name, as `OnnxStage` does.

    The output of a row does not depend on the other rows of its batch.
    """

    def __init__(self, model: Path, precision: Precision = "bf16"):
        core = openvino.Core()
        network = core.read_model(model)
        sinusoids = None if precision == "fp32" else _without_sinusoids(network)
        self._request = _compiled(core, network, _NAMES[precision])
        self._sinusoids = None if sinusoids is None else _compiled(core, sinusoids, "f32")
        # The names of the ONNX graph: OpenVINO adds others.
        self._graph = onnx.load(model, load_external_data=False).graph
        self.outputs = [output.name for output in self._graph.output]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs by name; their first dimension is the inputs' batch."""
        given = dict(inputs)
        if self._sinusoids is not None:
            names = (it.any_name for it in self._sinusoids.model_inputs)
            waves = self._sinusoids.infer({name: given[name] for name in names})
            given |= {output.any_name: wave for output, wave in waves.items()}
        results = self._request.infer(given, share_inputs=True)
        return {name: results[name] for name in self.outputs}

    def warm_up(self) -> None:
        """Run on zeros with 1 to `WARM_ROWS` rows, since the first call of each shape is slow.

        A dynamic side has the smallest length that the graph accepts.
        """
        for rows in range(1, WARM_ROWS + 1):
            self.run({name: np.repeat(row, rows, axis=0) for name, row in self.smallest_inputs().items()})

    def smallest_inputs(self) -> dict[str, np.ndarray]:
        """One row of zeros for each input."""
        found = {}
        for spec in self._graph.input:
            kind = spec.type.tensor_type
            shape = smallest_shape([side.dim_param or side.dim_value for side in kind.shape.dim])
            found[spec.name] = np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
        return found


def precisions() -> list[Precision]:
    """Those that this processor computes in, the most promising first. OpenVINO replaces others by them."""
    able = set(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return [name for name in _NAMES if name.upper() in able]


def _compiled(core: openvino.Core, network: openvino.Model, precision: str) -> openvino.InferRequest:
    properties = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": available_cores(),
        "NUM_STREAMS": 1,
        # The stages share the cores, and the kernel knows better which cores are free.
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(network, "CPU", properties).create_infer_request()


def _without_sinusoids(network: openvino.Model) -> openvino.Model | None:
    """Makes the results of sines and cosines inputs of `network`. Returns the model that computes them from
    its other inputs; None if there are none."""
    copies = _sinusoids(network.clone())
    if not copies:
        return None
    for number, (wave, copy) in enumerate(zip(_sinusoids(network), copies, strict=True)):
        name = {f"sinusoids_{number}"}
        parameter = opset13.parameter(wave.get_partial_shape(), np.float32)
        parameter.output(0).get_tensor().set_names(name)
        copy.get_tensor().set_names(name)
        for reader in wave.get_target_inputs():
            reader.replace_source_output(parameter.output(0))
        network.add_parameters([parameter])
    return openvino.Model(copies, _parameters(copies))


def _sinusoids(network: openvino.Model) -> list[Any]:
    """The results of sines and cosines, in the order of the graph."""
    return [op.output(0) for op in network.get_ordered_ops() if op.get_type_name() in ("Cos", "Sin")]


def _parameters(results: list[Any]) -> list[Any]:
    """The inputs of the graph on which the results depend."""
    waiting, seen, found = [it.get_node() for it in results], set(), []
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() in seen:
            continue
        seen.add(node.get_friendly_name())
        if node.get_type_name() == "Parameter":
            found.append(node)
        waiting += [it.get_source_output().get_node() for it in node.inputs()]
    return found
