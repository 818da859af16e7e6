"""The server's own treatment of render and light, so that what is measured and shown here is what is served.

A model's folder is no package (Triton's Python stub imports its modules by bare name), so its modules are
loaded by their paths.
"""

import importlib.util
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

_MODELS = Path(__file__).resolve().parents[2] / "model_repository"


@lru_cache
def _served(model: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, _MODELS / model / "1" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw(frame: np.ndarray, render: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The render, (H, W, 4) RGBA uint8, drawn on a frame of its size as `preprocess` does, (H, W, 3) uint8,
    and its coverage, (H, W) uint8."""
    laid = _served("preprocess", "softness").soften(cv2.cvtColor(render, cv2.COLOR_RGBA2mRGBA), 1.0)
    uncovered = cv2.merge([255 - laid[:, :, 3]] * 3)
    return cv2.add(laid[:, :, :3], cv2.multiply(frame, uncovered, scale=1 / 255)), laid[:, :, 3].copy()


def relight(
    picture: np.ndarray, composite: np.ndarray, mask: np.ndarray, sigma: float, detail_gain: float = 1.0
) -> np.ndarray:
    """The composite in the light of the model's picture, (H, W, 3) uint8; unchanged where the mask is 0.

    picture, composite: (H, W, 3) RGB uint8. mask: (H, W) uint8, the garment's coverage. sigma: in pixels.
    detail_gain: see `postprocess`'s relight.py.
    """
    served, share = _served("postprocess", "relight"), mask.astype(np.float32) / 255
    picture, composite = (cv2.cvtColor(p, cv2.COLOR_RGB2BGR) for p in (picture, composite))
    ratio = served.light_ratio(picture, composite, share, sigma)
    lit = served.with_detail(ratio, composite, share, sigma, detail_gain)
    return cv2.cvtColor(served.relight(composite, lit, mask), cv2.COLOR_BGR2RGB)
