"""Scenes on disk: painted once by all cores, resumable.

`pictures-*.npz` hold whole scenes for the autoencoder; `latents-*.npz` only what the UNet learns from, a
fortieth of the size: because the encoder is linear and known, the painting processes encode as they go. Every
scene is stored twice, the second time mirrored.
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

from training.lucy_tiny.autoencoder import PATCH, Basis
from training.lucy_tiny.captions import drop_parts
from training.lucy_tiny.scenes import Scene, make_scene

SCENES = 64  # in a shard
_MIRRORED = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Latents:
    """What the UNet learns from, N rows.

    target, composite: (N, 4, 32, 32) float16. mask: (N, 1, 32, 32) uint8, where the server lets the model
    paint. captions: N strings.
    """

    target: np.ndarray
    composite: np.ndarray
    mask: np.ndarray
    captions: list[str]


def painted_blocks(mask: np.ndarray) -> np.ndarray:
    """(H, W) uint8 coverage → (1, H/8, W/8) uint8: 1 where the garment touches a latent, as `preprocess`
    gives it to the model."""
    height, width = mask.shape
    touched = (mask > 4).reshape(height // PATCH, PATCH, width // PATCH, PATCH).any(axis=(1, 3))
    return touched[None].astype(np.uint8)


def write_pictures(folder: Path, count: int) -> None:
    """Paint scenes 0 to `count` and keep their pictures; what is there already stays."""
    _run(_paint_pictures, folder, "pictures", range(0, count, SCENES), ())


def write_latents(folder: Path, basis: Basis, first: int, count: int, seconds: float = math.inf) -> None:
    """Paint scenes `first` to `first + count` and keep their latents; no new ones after so many seconds."""
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
    """Call `paint(path, start, *arguments)` for every shard that is not there."""
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
    """Whole or not at all: an interrupted run leaves no half file behind."""
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)
    unfinished.replace(path)
