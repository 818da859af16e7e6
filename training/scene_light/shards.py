"""Samples on disk, so that they are made once and a stopped run goes on."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.files import whole
from training.photographs.dataset import Photographs
from training.scene_light.samples import COUNT, SIDE, of_painted, of_photograph, sample

IN_SHARD = 128
# Photographs of each path-traced geometry, which takes half a minute to render, and geometries in a shard.
_PHOTOGRAPHS, _GEOMETRIES = 24, 2


def paint(folder: Path, first: int, count: int) -> None:
    """Store the painted scenes `first` to `first + count`; existing shards are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for start in tqdm(
        range(first, first + count, IN_SHARD), desc="painted", unit_scale=IN_SHARD, unit="scene"
    ):
        path = folder / f"painted-{start:07}.npy"
        if not path.exists():
            _save(path, np.stack([of_painted(seed) for seed in range(start, start + IN_SHARD)]))


def collect(folder: Path, photographs: Path, seconds: float = math.inf) -> int:
    """Store photographs of the path-traced geometries that are not stored yet; returns how many.

    photographs: the folder of training.photographs, which may still grow. No shard begins after `seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known_path = folder / "photographs.txt"
    known = set(known_path.read_text().splitlines()) if known_path.exists() else set()
    source = Photographs(photographs, "train", kept=1)
    new = [index for index, path in enumerate(source.paths) if path.name not in known]
    deadline, stored = time.monotonic() + seconds, 0
    for start in range(0, len(new), _GEOMETRIES):
        if time.monotonic() > deadline:
            break
        part = new[start : start + _GEOMETRIES]
        _save(folder / f"photographs-{time.time_ns()}.npy", np.stack(_taken(source, part)))
        known |= {source.paths[index].name for index in part}
        known_path.write_text("\n".join(sorted(known)) + "\n")
        stored += len(part)
    return stored


def taken(folder: Path, split: str, count: int, seed: int) -> np.ndarray:
    """So many samples of a split, for measuring; the same for a seed while the folder does not grow.

    Raises FileNotFoundError if none is rendered.
    """
    source = Photographs(folder, split, kept=1)
    if not len(source):
        raise FileNotFoundError(
            f"{folder} has no geometry of {split}: `python -m training.photographs render` makes them"
        )
    chosen = np.linspace(0, len(source) - 1, count).round().astype(int)
    return np.stack(
        [_one(source, int(index), np.random.default_rng([seed, n])) for n, index in enumerate(chosen)]
    )


def _taken(source: Photographs, indices: Sequence[int]) -> list[np.ndarray]:
    rng = np.random.default_rng(time.time_ns())
    return [_one(source, index, rng, dyed=True) for index in indices for _ in range(_PHOTOGRAPHS)]


def _one(source: Photographs, index: int, rng: np.random.Generator, dyed: bool = False) -> np.ndarray:
    found = source.sample(rng, index, dyed)
    mask = np.rint(255 * found.mask * (found.render[..., 3] / 255)).astype(np.uint8)
    camera, render, target = (
        np.ascontiguousarray(picture[..., 2::-1])
        for picture in (found.camera, found.render[..., :3], found.target)
    )
    return sample(camera, render, target, mask, found.landmarks, rng)


def scenes_in(folder: Path) -> list[Path]:
    """The folders of complete scenes. Raises FileNotFoundError if there are none."""
    names = ("camera.jpg", "render.png", "mask.png", "target.jpg")
    found = sorted(path.parent for path in folder.rglob("target.jpg"))
    complete = [path for path in found if all((path / name).exists() for name in names)]
    if not complete:
        raise FileNotFoundError(f"{folder} has no scenes: each is a folder with {', '.join(names)}")
    return complete


def read(folder: Path, kind: str) -> np.ndarray:
    """All stored samples of a kind, (N, COUNT, SIDE, SIDE) uint8; N may be 0."""
    shards = [np.load(path) for path in sorted(folder.glob(f"{kind}-*.npy"))]
    return np.concatenate(shards) if shards else np.zeros((0, COUNT, SIDE, SIDE), np.uint8)


def stack(scenes: Sequence[Path]) -> np.ndarray:
    """The served windows of some scenes."""
    return np.stack([of_photograph(path) for path in scenes])


def _save(path: Path, rows: np.ndarray) -> None:
    with whole(path) as file:
        np.save(file, rows)
