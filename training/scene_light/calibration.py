"""How sure the light reader may be: from which expected error of the level on its light counts less, and how
far brightness and shading are right at all.

Measured on scenes that training never has. A decibel that is lost against the render alone counts as three
that are gained.
"""

from itertools import product

import numpy as np
import torch

from pipeline.light.light_reader import LightReader
from training.scene_light.augmentation import Batch, plain
from training.scene_light.learning import relit, squared_error

_SURE, _UNSURE = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4), (0.3, 0.4, 0.5, 0.7, 1.0, 2.0)
_LEVEL, _SHADING = (0.7, 0.85, 1.0), (0.8, 0.9, 1.0)
_LOSS = 3


@torch.no_grad()
def calibrate(network: LightReader, samples: np.ndarray, rows: int = 32) -> dict[str, float]:
    """Sets the network's calibration and reliability; returns them with the mean gain and the worst loss in
    decibels."""
    network.eval()
    parts = [plain(torch.from_numpy(samples[start : start + rows])) for start in range(0, len(samples), rows)]
    read = [network.regress(part.scene) for part in parts]
    starts = torch.cat([_decibels(part.scene[:, 3:6], part) for part in parts])
    best: tuple[float, dict[str, float]] | None = None
    for sure, unsure, level, shading in product(_SURE, _UNSURE, _LEVEL, _SHADING):
        if unsure <= sure:
            continue
        network.calibration.copy_(torch.tensor([sure, unsure]))
        network.reliability.copy_(torch.tensor([level, shading]))
        lights = [network.trusted(part.scene, *it)[0] for part, it in zip(parts, read, strict=True)]
        answers = torch.cat(
            [_decibels(relit(it.scene, light), it) for it, light in zip(parts, lights, strict=True)]
        )
        gain = answers - starts
        score = float((gain.clamp(min=0) + _LOSS * gain.clamp(max=0)).mean())
        if best is None or score > best[0]:
            found = {"sure": sure, "unsure": unsure, "level": level, "shading": shading}
            found |= {"gain": float(gain.mean()), "worst": float(gain.min())}
            best = score, found
    assert best is not None
    for buffer, names in (
        (network.calibration, ("sure", "unsure")),
        (network.reliability, ("level", "shading")),
    ):
        buffer.copy_(torch.tensor([best[1][name] for name in names]))
    return {name: round(value, 3) for name, value in best[1].items()}


def _decibels(picture: torch.Tensor, batch: Batch) -> torch.Tensor:
    return -10 * torch.log10(squared_error(picture, batch).clamp(min=1e-7))
