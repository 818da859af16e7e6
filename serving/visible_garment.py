"""The network that finds the visible garment, on ONNX Runtime: what `preprocess` calls."""

from pathlib import Path

import numpy as np

from pipeline.garment.visibility import Network

NETWORK = Path(__file__).parents[1] / "model_repository" / "preprocess" / "1" / "visible.onnx"


def open_network(path: Path, threads: int = 1) -> Network:
    """The network of an ONNX file."""
    import onnxruntime as ort  # only where there is such a network

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def network(planes: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(None, {"planes": planes})[0])

    return network
