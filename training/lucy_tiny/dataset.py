"""Scenes as a dataset of training.finetune: one folder for each."""

import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from training.landmarks import as_points
from training.lucy_tiny.fabrics import sample_fabric, sequins
from training.lucy_tiny.scenes import Scene, frame_with_head, make_scene

_SIDE = 384
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95]


def write_rows(folder: Path, seeds: Iterable[int], of_sequins: bool) -> None:
    """of_sequins: every jacket is of a cloth that lucy-tiny was not trained on."""
    for seed in seeds:
        scene = make_scene(
            seed, _SIDE, framing=frame_with_head, cloth=sequins if of_sequins else sample_fabric
        )
        write_row(folder / f"scene-{seed}", scene)


def write_row(folder: Path, scene: Scene) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    render = np.dstack([scene.render[..., 2::-1], scene.mask])  # without head and hands
    pictures = {
        "person.jpg": scene.frame[..., ::-1],
        "photo.jpg": scene.target[..., ::-1],
        "render.png": render,
    }
    for name, picture in pictures.items():
        if not cv2.imwrite(str(folder / name), picture, _QUALITY if name.endswith("jpg") else []):
            raise OSError(f"cannot write {folder / name}")
    (folder / "pose.json").write_text(json.dumps({"landmarks": as_points(scene.landmarks)}))
    (folder / "caption.txt").write_text(scene.caption + "\n")
