"""A DensePose network that the user brings: it finds the parts of the body in the person's picture.

It is one file, TorchScript or ONNX, with one input: the picture, (1, 3, 512, 384), BGR, 0 to 255. It gives

    the number of each pixel's part, 0 to 24     (1, H, W), whole numbers
    the score of each part                       (1, 25, H, W)
    the coloured picture itself, RGB, 0 to 255   (1, 3, H, W)

at any size. It runs on the CPU, in a thread beside the other networks. Upstream, too, finds the parts at
this size.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from families.idm_vton.body_parts import coloured

_HEIGHT, _WIDTH = 512, 384
_PARTS = 25
_Network = Callable[[np.ndarray], np.ndarray]


class DensePose:
    """The network in a file. Raises whatever its library raises for a file that it cannot read."""

    def __init__(self, path: Path):
        self._run = _onnx(path) if path.suffix == ".onnx" else _torchscript(path)

    def picture(self, person: np.ndarray) -> np.ndarray:
        """(h, w, 3) RGB uint8 of the person → (H, W, 3) RGB uint8 of the parts, on black.

        Raises ValueError if the network gives none of the three forms.
        """
        seen = cv2.resize(person, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)[..., ::-1]
        return _drawn(self._run(np.ascontiguousarray(seen.transpose(2, 0, 1)[None], np.float32)))


def _drawn(found: np.ndarray) -> np.ndarray:
    match found.shape:
        case (1, 3, _, _):
            return np.ascontiguousarray(found[0].clip(0, 255).round().astype(np.uint8).transpose(1, 2, 0))
        case (1, 25, _, _):
            return coloured(found[0].argmax(axis=0))
        case (1, _, _):
            return coloured(found[0].round().astype(np.int64).clip(0, _PARTS - 1))
    raise ValueError(
        f"its output has the shape {found.shape}, and not (1, H, W), (1, {_PARTS}, H, W) or (1, 3, H, W)"
    )


def _onnx(path: Path) -> _Network:
    import onnxruntime  # which whoever brings no ONNX file can do without

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda seen: np.asarray(session.run(None, {name: seen})[0])


def _torchscript(path: Path) -> _Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather have torch.export; public files are TorchScript
        network = torch.jit.load(path, map_location="cpu").eval()

    def run(seen: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(network(torch.from_numpy(seen)).float().numpy())

    return run
