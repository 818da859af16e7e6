"""An exported stage on ONNX Runtime: what the CPU profile serves where nothing is faster, and what the
export is checked with."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort


class OnnxStage:
    """A `model.onnx` that takes and gives NumPy arrays by name, on every core that this process may use."""

    def __init__(self, model: Path):
        options = ort.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        # The stages of a pipeline take turns on the same cores: a thread that spins while it waits for
        # work takes a core from the stage that has some.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # A pattern is a block of memory kept for every batch size that was ever seen, for no speed.
        options.enable_mem_pattern = False
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name, each with the batch of the inputs in front."""
        return dict(zip(self.outputs, self._session.run(self.outputs, dict(inputs)), strict=True))

    def warm_up(self) -> None:
        """Run once on zeros: the first call plans the memory, and nobody should wait for that.

        A side that is dynamic is as long as the shortest that the graph takes.
        """
        self.run(self.least_inputs())

    def least_inputs(self) -> dict[str, np.ndarray]:
        """One row of zeros for each input."""
        kinds = {"tensor(float)": np.float32, "tensor(int32)": np.int32}
        specs = self._session.get_inputs()
        return {spec.name: np.zeros(least_shape(spec.shape), kinds[spec.type]) for spec in specs}


def least_shape(shape: list[int | str]) -> list[int]:
    """Of a dynamic shape like ["batch", 3, "64*height_steps", "64*width_steps"]: [1, 3, 64, 64]."""
    return [
        side if isinstance(side, int) else int(side.split("*")[0]) if side[:1].isdigit() else 1
        for side in shape
    ]
