"""What the network is trained on: pictures of people, a jacket for each, and what is truly visible of it.

A scene is one small file. Scenes of lucy-tiny's generator are painted ones; those of training/photographs are
path-traced, each geometry with several fabrics, lights and cameras.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.files import whole

SIDE = 256  # of a painted scene, in pixels
# Seeds that neither lucy-tiny's training nor any evaluation uses.
FIRST_SEED = 5_000_000
# Photographs of a geometry: the hands stay where they are, so that more would teach little.
PHOTOGRAPHS = 4


@dataclass(frozen=True)
class Scene:
    """frame: the camera's picture, (H, W, 3) BGR uint8.
    render: the jacket as a frontend draws it, (H, W, 4) BGRA uint8, still over head and hands.
    visible: (H, W) uint8, how much of each pixel shows the jacket in a photograph.
    landmarks: (33, 4) x, y (0 to 1 of the frame), z, visibility.
    """

    frame: np.ndarray
    render: np.ndarray
    visible: np.ndarray
    landmarks: np.ndarray

    def write(self, path: Path) -> None:
        pictures = cv2.merge([*cv2.split(self.frame), *cv2.split(self.render), self.visible])
        with whole(path) as file:
            np.savez(file, pictures=pictures, landmarks=self.landmarks)

    @classmethod
    def read(cls, path: Path) -> "Scene":
        with np.load(path) as file:
            pictures, landmarks = file["pictures"], file["landmarks"]
        planes = cv2.split(pictures)
        return cls(cv2.merge(planes[:3]), cv2.merge(planes[3:7]), planes[7], landmarks)


class Scenes(Sequence[Scene]):
    """The scenes of a folder; they stay on the disk."""

    def __init__(self, folder: Path):
        self._files = sorted(folder.glob("[!.]*.npz"))

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, number):  # type: ignore[no-untyped-def]
        return Scene.read(self._files[number])


def paint(folder: Path, count: int) -> None:
    """Paint scenes 0 to `count` of lucy-tiny's generator; those that exist are kept."""
    from training.lucy_tiny.scenes import make_scene

    cv2.setNumThreads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"{number:06}.npz"
        if not path.exists():
            scene = make_scene(FIRST_SEED + number, SIDE)
            Scene(_bgr(scene.frame), _bgr(scene.render), scene.mask, scene.landmarks).write(path)


def collect(folder: Path, photographs: Path, split: str = "train") -> None:
    """Photograph every geometry of `photographs` that has no scenes in `folder` yet."""
    from training.photographs.dataset import Photographs

    if not (photographs / split).is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    source = Photographs(photographs, split, kept=1)
    for index, path in enumerate(source.paths):
        for number, scene in enumerate(_photographed(source, index, path, folder)):
            scene.write(folder / f"{path.name}-{number}.npz")


def _photographed(source, index: int, path: Path, folder: Path) -> Iterator[Scene]:  # type: ignore[no-untyped-def]
    """The scenes of one geometry; none if they were made before. The last one is written last."""
    if (folder / f"{path.name}-{PHOTOGRAPHS - 1}.npz").exists():
        return
    rng = np.random.default_rng(int(path.name.split("-")[-1]))
    for _ in range(PHOTOGRAPHS):
        photo = source.sample(rng, index)
        visible = np.rint(255 * photo.mask).astype(np.uint8)
        yield Scene(_bgr(photo.camera), _bgr(photo.render), visible, photo.landmarks)


def _bgr(rgb: np.ndarray) -> np.ndarray:
    """RGB(A) → BGR(A)."""
    return np.ascontiguousarray(rgb[..., [2, 1, 0, 3][: rgb.shape[2]]])
