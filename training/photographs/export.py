"""Photographs as folders of files, as `make bench-photographs` reads them."""

import json
from pathlib import Path

import cv2
import numpy as np

from training.landmarks import as_points
from training.photographs.dataset import Photograph, Photographs

_TRUE_COLOUR = [cv2.IMWRITE_JPEG_QUALITY, 96, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]  # 4:4:4


def write_scenes(photographs: Photographs, folder: Path, count: int) -> None:
    """`count` photographs, of each geometry in turn, always the same ones for the same geometries."""
    if not len(photographs):
        raise FileNotFoundError(f"{photographs.folder} has no {photographs.split} geometries yet")
    for number in range(count):
        index = number % len(photographs)
        photograph = photographs.sample(np.random.default_rng([24, number]), index)
        meta = photograph.meta
        name = f"{number:02d}-{meta['id']}-{meta['cut']['kind']}-{meta['fabric']}".replace(" ", "-")
        write_scene(folder / name, photograph)


def write_scene(folder: Path, photograph: Photograph) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    quality = photograph.meta["webcam"]["quality"]
    _write(folder / "camera.jpg", photograph.camera, [cv2.IMWRITE_JPEG_QUALITY, quality])
    _write(folder / "target.jpg", photograph.target, _TRUE_COLOUR)
    _write(folder / "render.png", photograph.render)
    _write(folder / "mask.png", np.rint(255 * photograph.mask).astype(np.uint8))
    pose = photograph.meta["pose"]
    client = {"shoulderWidth": pose["shoulderWidth"], "rotation": pose["rotation"]}
    (folder / "pose.json").write_text(json.dumps({"landmarks": as_points(photograph.landmarks), **client}))
    (folder / "meta.json").write_text(json.dumps(photograph.meta, indent=1))


def _write(path: Path, picture: np.ndarray, options: list[int] | None = None) -> None:
    if picture.ndim == 3:
        picture = picture[..., [2, 1, 0, *range(3, picture.shape[2])]]
    if not cv2.imwrite(str(path), picture, options or []):
        raise OSError(f"{path} could not be written")
