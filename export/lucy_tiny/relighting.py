"""The served `postprocess`'s own relighting, so that what is measured and shown here is what is served.

A model's folder is no package (Triton's Python stub imports its modules by bare name), so it is loaded by
its path.
"""

import importlib.util
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np

_SERVED = Path(__file__).resolve().parents[2] / "model_repository" / "postprocess" / "1" / "relight.py"


@lru_cache
def _served() -> ModuleType:
    spec = importlib.util.spec_from_file_location("relight", _SERVED)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def relight(picture: np.ndarray, composite: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """The composite in the light of the model's picture, (H, W, 3) uint8; unchanged where the mask is 0.

    picture, composite: (H, W, 3) uint8. mask: (H, W) uint8, the garment's coverage. sigma: in pixels.
    """
    coverage = mask.astype(np.float32) / 255
    return _served().relight(composite, _served().light_ratio(picture, composite, coverage, sigma), mask)
