"""Fabrics for the scenes: which of them training has, and a fabric's colour and gloss at the jacket's
points."""

from dataclasses import dataclass

import cv2
import numpy as np

from training.lucy_tiny.fabrics import CLOTHS, COLOURS, Fabric, measured_textures, sample_fabric, weave
from training.photographs.camera import to_linear

# Kinds of fabric that only validation scenes wear.
VALIDATION_FABRICS = frozenset({"herringbone", "satin", "corduroy", "tweed", "linen"})
TRAINING_FABRICS = frozenset(CLOTHS) - VALIDATION_FABRICS
# The jacket's u, v from 0 to 1 are this many metres of cloth.
ATLAS_METRES = 2.4
_SHOULDERS = 0.36  # metres, the unit of a fabric's `repeat`


@dataclass(frozen=True)
class Dressing:
    """A fabric on a jacket. gloss: factor of the rendered highlights; rib, lining, metal: linear RGB."""

    fabric: Fabric
    gloss: float
    rib: np.ndarray
    lining: np.ndarray

    @property
    def name(self) -> str:
        return f"{self.fabric.colour} {self.fabric.name}"


def sample_dressing(rng: np.random.Generator, split: str) -> Dressing:
    kinds = sorted(VALIDATION_FABRICS if split == "validation" else TRAINING_FABRICS)
    while True:
        if rng.random() < 0.5:
            fabric = sample_fabric(rng)
            if fabric.name not in kinds:
                continue
        else:
            fabric = weave(str(rng.choice(kinds)), str(rng.choice(list(COLOURS))), rng)
        break
    own = to_linear(fabric.texture).reshape(-1, 3).mean(axis=0)
    other = to_linear(np.array(COLOURS[str(rng.choice(list(COLOURS)))], np.uint8))
    specular = fabric.cloth.material.specular
    gloss = float(np.clip(25 * specular**2 * np.exp(rng.normal(0, 0.25)) + 0.01, 0, 2.0))
    return Dressing(
        fabric,
        gloss,
        own * rng.uniform(0.6, 1.0) if rng.random() < 0.7 else other,
        own * rng.uniform(0.3, 0.9) if rng.random() < 0.6 else other,
    )


def albedo(dressing: Dressing, uv: np.ndarray, trim: np.ndarray) -> np.ndarray:
    """Linear RGB of the cloth, (h, w, 3) float32, and 0 where there is none.

    uv: (2h, 2w, 3) as in `storage.Geometry`. Each pixel is the mean of the covered ones of four.
    """
    u, v = uv[..., 0].astype(np.float32) / 65535, uv[..., 1].astype(np.float32) / 65535
    panel = uv[..., 2]
    texture = to_linear(dressing.fabric.texture)
    # Two octaves of the texture are mixed by how many of its pixels one pixel of the picture spans.
    repeat = dressing.fabric.repeat * _SHOULDERS
    scale = ATLAS_METRES / repeat * texture.shape[1]
    step = _step(u, v, panel) * scale
    small = max(0, min(6, int(np.floor(np.log2(max(step, 1.0))))))
    for _ in range(small):
        texture = cv2.resize(texture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    side = texture.shape[1]
    x = (u * ATLAS_METRES / repeat % 1 * side).astype(np.float32)
    y = (v * ATLAS_METRES / repeat % 1 * side).astype(np.float32)
    wide = np.concatenate([texture, texture[:, :1]], axis=1)
    wide = np.concatenate([wide, wide[:1]], axis=0)
    colour = cv2.remap(wide, x, y, cv2.INTER_LINEAR)
    colour[panel == 4] = dressing.rib
    colour[panel == 5] = dressing.lining
    n = trim.shape[0]
    factor = cv2.remap(trim, u * n - 0.5, v * n - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    factor = np.where(panel == 5, 1, factor.astype(np.float32) / 128)
    covered = (panel > 0).astype(np.float32)
    colour *= (factor * covered)[..., None]
    half = panel.shape[1] // 2, panel.shape[0] // 2
    total = 4 * cv2.resize(colour, half, interpolation=cv2.INTER_AREA)
    count = 4 * cv2.resize(covered, half, interpolation=cv2.INTER_AREA)
    mean = total / np.maximum(count, 1)[..., None]
    # At the outline a pixel may be covered by less than its four points show.
    blurred, weight = cv2.blur(total, (3, 3)), cv2.blur(count, (3, 3))
    around = blurred / np.maximum(weight, 1e-3)[..., None]
    return np.where((count > 0)[..., None], mean, around).astype(np.float32)


def _step(u: np.ndarray, v: np.ndarray, panel: np.ndarray) -> float:
    """The usual distance in u, v between neighbours."""
    same = (panel[:, 1:] == panel[:, :-1]) & (panel[:, 1:] > 0)
    if not same.any():
        return 0.0
    du, dv = (u[:, 1:] - u[:, :-1])[same], (v[:, 1:] - v[:, :-1])[same]
    return float(np.median(np.hypot(du, dv)))


__all__ = [
    "ATLAS_METRES", "TRAINING_FABRICS", "VALIDATION_FABRICS", "Dressing", "albedo", "measured_textures",
    "sample_dressing",
]  # fmt: skip
