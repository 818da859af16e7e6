"""The environments that light the scenes, and which of them training has."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from training.photographs.lights import Environment, lookup

# Only validation scenes are lit by these. Day, night, indoors and outdoors are in both.
VALIDATION_ENVIRONMENTS = frozenset(
    {"pmndrs-lobby", "pmndrs-bridge", "pmndrs-sunset", "bpy-courtyard", "pmndrs-esplanade"}
)
_LIGHT_SIZE = (256, 128)


def environment_paths(folder: Path, split: str) -> list[Path]:
    """The prepared environment pictures of a split. Raises FileNotFoundError if none is there."""
    paths = [
        path
        for path in sorted(folder.glob("*.npy"))
        if (path.stem in VALIDATION_ENVIRONMENTS) == (split == "validation")
    ]
    if not paths:
        raise FileNotFoundError(
            f"{folder} has no environments: `python -m training.photographs assets` makes them"
        )
    return paths


@lru_cache(maxsize=32)
def read_environment(path: Path) -> tuple[np.ndarray, Environment]:
    """The picture for backgrounds, (h, w, 3) linear float16, and the small one for light.

    Both are scaled so that the sphere's mean radiance is 1.
    """
    picture = np.load(path).astype(np.float32)
    small = cv2.resize(picture, _LIGHT_SIZE, interpolation=cv2.INTER_AREA)
    rows = np.sin((np.arange(small.shape[0]) + 0.5) / small.shape[0] * np.pi)
    level = float((small.mean(axis=(1, 2)) * rows).sum() / rows.sum())
    return np.minimum(picture / level, 60000).astype(np.float16), Environment.of_picture(small / level)


def seen_from(picture: np.ndarray, camera: dict, size: tuple[int, int], rotation: float) -> np.ndarray:
    """The environment, turned by `rotation`, as a geometry's camera sees it: (h, w, 3) linear."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    rays = np.stack(
        [(x - width / 2) / camera["focal"], (y - height / 2) / camera["focal"], np.ones_like(x)], -1
    )
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    world = rays @ np.asarray(camera["rotation"], np.float32)
    c, s = np.cos(rotation), np.sin(rotation)
    back = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32)
    u, v = lookup(world @ back.T, *picture.shape[:2])
    # Camera pixels are coarser than the picture's: reading a blurred copy avoids glitter.
    span = picture.shape[1] / (2 * np.pi) / camera["focal"]
    wide = picture.astype(np.float32)
    if span > 1.2:
        wide = cv2.blur(wide, (int(span) | 1,) * 2)
    wide = np.concatenate([wide, wide[:, :2]], axis=1)
    return cv2.remap(wide, u % picture.shape[1], v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
