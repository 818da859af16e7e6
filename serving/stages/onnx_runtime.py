"""An exported stage on ONNX Runtime: the default of the CPU profile, and what an export is checked with."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort

from serving.cores import available_cores


class OnnxStage:
    """A `model.onnx` that takes and returns NumPy arrays by name, on every core that this process may use."""

    def __init__(self, model: Path):
        options = ort.SessionOptions()
        options.intra_op_num_threads = available_cores()
        # The stages of the pipeline share the cores: a thread that spins while it waits for work takes a core
        # from a stage that has work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # A memory pattern keeps one block of memory for every batch size ever seen, and brings no speed.
        options.enable_mem_pattern = False
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs by name; their first dimension is the inputs' batch."""
        return dict(zip(self.outputs, self._session.run(self.outputs, dict(inputs)), strict=True))

    def warm_up(self) -> None:
        """Run once on zeros, so that no request waits for the first call, which plans the memory.

        A dynamic side has the smallest length that the graph accepts. The memory itself is given back until a
        request needs it: 45 MB of a decoder that may get none for hours.
        """
        giving_back = ort.RunOptions()
        giving_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self._session.run(self.outputs, self.smallest_inputs(), giving_back)

    def smallest_inputs(self) -> dict[str, np.ndarray]:
        """One row of zeros for each input."""
        kinds = {"tensor(float)": np.float32, "tensor(int32)": np.int32}
        specs = self._session.get_inputs()
        return {spec.name: np.zeros(smallest_shape(spec.shape), kinds[spec.type]) for spec in specs}


def smallest_shape(shape: list[int | str]) -> list[int]:
    """The smallest shape, like [1, 3, 64, 64] of ["batch", 3, "64*height_steps", "64*width_steps"]."""
    return [
        side if isinstance(side, int) else int(side.split("*")[0]) if side[:1].isdigit() else 1
        for side in shape
    ]
