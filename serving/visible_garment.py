"""The networks that find the visible garment, on ONNX Runtime: what `preprocess` calls."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.garment.hand_shape import HandNetwork
from pipeline.garment.visibility import Network, Networks

if TYPE_CHECKING:
    import onnxruntime as ort

FOLDER = Path(__file__).parents[1] / "model_repository" / "preprocess" / "1"
VISIBLE_FILE, HANDS_FILE = "visible.onnx", "hands.onnx"


def open_networks(folder: Path = FOLDER, visible: Path | None = None) -> Networks | None:
    """The networks of a folder; None if it has none. visible: a file instead of the folder's."""
    visible = visible or folder / VISIBLE_FILE
    if not (visible.exists() and (folder / HANDS_FILE).exists()):
        return None
    return Networks(open_visible(visible), open_hands(folder / HANDS_FILE))


def open_visible(path: Path, threads: int = 1) -> Network:
    """The network of an ONNX file that tells what is visible."""
    session = _session(path, threads)

    def network(planes: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(None, {"planes": planes})[0])

    return network


def open_hands(path: Path, threads: int = 1) -> HandNetwork:
    """The network of an ONNX file that tells a hand's landmarks."""
    session = _session(path, threads)

    def network(hands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, present = session.run(["points", "present"], {"hands": hands})
        return np.asarray(points), np.asarray(present)

    return network


def _session(path: Path, threads: int) -> "ort.InferenceSession":
    import onnxruntime as ort  # only where there is such a network

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
