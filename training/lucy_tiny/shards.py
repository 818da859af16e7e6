"""Scenes on disk: all cores paint them once, and a stopped run resumes.

`pictures-*.npz` hold whole scenes for the autoencoder. `latents-*.npz` hold the UNet's training data only, a
fortieth of the size: the encoder is linear and known, so the painting processes also encode. Every scene is
stored twice, once mirrored.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from pipeline.garment.crop import Crop, latent_mask
from pipeline.resize import size_of
from training.files import whole
from training.lucy_tiny.autoencoder import Basis
from training.lucy_tiny.captions import drop_parts
from training.lucy_tiny.scenes import Scene, make_scene

SCENES = 64  # in a shard
_MIRRORED = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Latents:
    """The UNet's training data, N rows.

    target, composite: (N, 4, 32, 32) float16. mask: (N, 1, 32, 32) uint8, the served latent mask.
    captions: N strings.
    """

    target: np.ndarray
    composite: np.ndarray
    mask: np.ndarray
    captions: list[str]


def painted_blocks(mask: np.ndarray) -> np.ndarray:
    """The served latent mask of a picture that is the model's whole crop: (1, H/8, W/8) uint8.

    mask: (H, W) uint8, the garment's coverage.
    """
    whole = Crop(0, 0, *size_of(mask))
    return latent_mask(whole, mask, (mask.shape[0], mask.shape[1]))[0].astype(np.uint8)


def write_pictures(folder: Path, count: int) -> None:
    """Paint scenes 0 to `count` and store their pictures; existing shards are kept."""
    _run(_paint_pictures, folder, "pictures", range(0, count, SCENES), ())


def write_latents(folder: Path, basis: Basis, first: int, count: int, seconds: float = math.inf) -> None:
    """Paint scenes `first` to `first + count` and store their latents. No shard begins after `seconds`."""
    _run(_paint_latents, folder, "latents", range(first, first + count, SCENES), (basis,), seconds)


def read_pictures(folder: Path) -> np.ndarray:
    """The targets and composites of all stored scenes, (N, H, W, 3) uint8."""
    found = sorted(folder.glob("pictures-*.npz"))
    if not found:
        raise FileNotFoundError(f"{folder} holds no pictures: paint some first")
    return np.concatenate([np.load(path)[kind] for path in found for kind in ("target", "composite")])


def read_latents(folder: Path) -> Latents:
    """All stored latents."""
    found = sorted(folder.glob("latents-*.npz"))
    if not found:
        raise FileNotFoundError(f"{folder} holds no latents: paint some first")
    shards = [np.load(path) for path in found]
    return Latents(
        **{name: np.concatenate([s[name] for s in shards]) for name in ("target", "composite", "mask")},
        captions=[caption for shard in shards for caption in json.loads(str(shard["captions"]))],
    )


def _run(
    paint: Callable[..., None],
    folder: Path,
    kind: str,
    starts: range,
    arguments: tuple[Any, ...],
    seconds: float = math.inf,
) -> None:
    """Call `paint(path, start, *arguments)` for every shard that does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    missing = [start for start in starts if not (folder / f"{kind}-{start:07}.npz").exists()]
    # Forking a process whose libraries run threads can hang the child.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _be_nice) as pool:
        jobs = [pool.submit(paint, folder / f"{kind}-{start:07}.npz", start, *arguments) for start in missing]
        done = len(starts) - len(missing)
        with tqdm(total=len(starts) * SCENES, initial=done * SCENES, desc=kind, unit="scene") as bar:
            for job in as_completed(jobs):
                job.result()
                bar.update(SCENES)
                if time.monotonic() > deadline:
                    pool.shutdown(cancel_futures=True)
                    break


def _be_nice() -> None:
    os.nice(10)
    cv2.setNumThreads(1)


def _paint_pictures(path: Path, start: int) -> None:
    scenes = [make_scene(seed) for seed in range(start, start + SCENES)]
    _save(
        path,
        target=np.stack([scene.target for scene in scenes]),
        composite=np.stack([scene.composite for scene in scenes]),
    )


def _paint_latents(path: Path, start: int, basis: Basis) -> None:
    rows = [row for seed in range(start, start + SCENES) for row in _rows(make_scene(seed), seed, basis)]
    _save(
        path,
        target=np.stack([row[0] for row in rows]).astype(np.float16),
        composite=np.stack([row[1] for row in rows]).astype(np.float16),
        mask=np.stack([row[2] for row in rows]),
        captions=np.array(json.dumps([row[3] for row in rows])),
    )


def _rows(scene: Scene, seed: int, basis: Basis) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, str]]:
    rng = np.random.default_rng(seed)
    mirrored_light = " ".join(_MIRRORED.get(word, word) for word in scene.light.split(" "))
    for light, order in ((scene.light, slice(None)), (mirrored_light, slice(None, None, -1))):
        yield (
            basis.encode(scene.target[:, order]),
            basis.encode(scene.composite[:, order]),
            painted_blocks(scene.mask[:, order]),
            drop_parts(scene.colour, scene.fabric, light, rng),
        )


def _save(path: Path, **arrays: np.ndarray) -> None:
    with whole(path) as file:
        np.savez(file, **arrays)
