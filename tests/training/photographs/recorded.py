"""A rendered geometry at an eighth of its size, and an environment, for tests that need no Blender."""

import shutil
from pathlib import Path

import numpy as np

from training.photographs.storage import Geometry, read_geometry

FOLDER = Path(__file__).resolve().parents[2] / "data" / "photographs" / "2-000000"


def recorded_geometry() -> Geometry:
    return read_geometry(FOLDER)


def sky(height: int = 64, sun: bool = True) -> np.ndarray:
    """Blue above, grey below, and a warm sun: (h, 2h, 3) linear."""
    picture = np.full((height, 2 * height, 3), 0.3, np.float32)
    picture[: height // 2] = (0.5, 0.7, 1.0)
    if sun:
        picture[height // 3, height // 2] = (9000, 8000, 6000)
    return picture


def make_folder(folder: Path) -> Path:
    """A folder as the renderer leaves it: one geometry of each split, one environment of each split."""
    for split in ("train", "validation"):
        shutil.copytree(FOLDER, folder / split / FOLDER.name)
    environments = folder / "environments"
    environments.mkdir()
    for name in ("bpy-city", "pmndrs-lobby"):
        np.save(environments / f"{name}.npy", sky().astype(np.float16))
    return folder
