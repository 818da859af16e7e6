"""An exported stage on OpenVINO in bfloat16: what the CPU profile serves on processors with AMX.

Their matrix units multiply bfloat16 some times as fast as their vector units multiply float32, and ONNX
Runtime's CPU provider has no bfloat16. bfloat16 has float32's range, so nothing overflows; its 8 bits of
significand are off by 0.5 % (root mean square) in lucy-tiny's outputs, which no eye sees.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import openvino

from serving.stages.onnx_runtime import least_shape

WARM_ROWS = 4  # more are seldom; each number of rows has kernels of its own, made when it is first seen


class OpenVinoStage:
    """A `model.onnx` that takes and gives NumPy arrays by name, as `OnnxStage` does. A row's output does
    not depend on the rows beside it."""

    def __init__(self, model: Path):
        properties = {
            "INFERENCE_PRECISION_HINT": "bf16",
            "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
            "NUM_STREAMS": 1,
            # The stages take turns on the same cores: the system knows better which of them are free.
            "ENABLE_CPU_PINNING": False,
        }
        self._request = openvino.Core().compile_model(model, "CPU", properties).create_infer_request()
        # OpenVINO has names of its own beside these.
        self._graph = onnx.load(model, load_external_data=False).graph
        self.outputs = [output.name for output in self._graph.output]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name, each with the batch of the inputs in front."""
        results = self._request.infer(dict(inputs), share_inputs=True)
        return {name: results[name] for name in self.outputs}

    def warm_up(self) -> None:
        """Run on zeros, one to `WARM_ROWS` rows of them: the first call of a shape is the slow one.

        A side that is dynamic is as long as the shortest that the graph takes.
        """
        for rows in range(1, WARM_ROWS + 1):
            self.run({name: np.repeat(row, rows, axis=0) for name, row in self.least_inputs().items()})

    def least_inputs(self) -> dict[str, np.ndarray]:
        """One row of zeros for each input."""
        found = {}
        for spec in self._graph.input:
            kind = spec.type.tensor_type
            shape = least_shape([side.dim_param or side.dim_value for side in kind.shape.dim])
            found[spec.name] = np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
        return found
