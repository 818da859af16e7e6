"""An exported stage on OpenVINO in bfloat16: the default of the CPU profile on processors with AMX.

The matrix units of these processors multiply bfloat16 several times as fast as their vector units multiply
float32, and ONNX Runtime's CPU provider has no bfloat16. bfloat16 has the range of float32, so nothing
overflows. Its 8 bits of significand change lucy-tiny's outputs by 0.5 % (root mean square): not visible.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import openvino

from serving.cores import available_cores
from serving.stages.onnx_runtime import smallest_shape

WARM_ROWS = 4  # larger batches are rare; OpenVINO compiles kernels for each batch size when it first sees it


class OpenVinoStage:
    """A `model.onnx` that takes and returns NumPy arrays by name, as `OnnxStage` does.

    The output of a row does not depend on the other rows of its batch.
    """

    def __init__(self, model: Path):
        properties = {
            "INFERENCE_PRECISION_HINT": "bf16",
            "INFERENCE_NUM_THREADS": available_cores(),
            "NUM_STREAMS": 1,
            # The stages share the cores, and the kernel knows better which cores are free.
            "ENABLE_CPU_PINNING": False,
        }
        self._request = openvino.Core().compile_model(model, "CPU", properties).create_infer_request()
        # The names of the ONNX graph: OpenVINO adds others.
        self._graph = onnx.load(model, load_external_data=False).graph
        self.outputs = [output.name for output in self._graph.output]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs by name; their first dimension is the inputs' batch."""
        results = self._request.infer(dict(inputs), share_inputs=True)
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
