"""Small datasets for the tests of fine-tuning."""

import json
from pathlib import Path

import cv2
import numpy as np

SIZE = (96, 96)  # height, width


def write_row(folder: Path, seed: int = 0, garment: bool = False, **pictures: np.ndarray | None) -> Path:
    """A row: a grey scene with a rectangle of cloth. pictures: in place of its own; None leaves one out."""
    rng = np.random.default_rng(seed)
    height, width = SIZE
    person = cv2.GaussianBlur(rng.integers(60, 200, (height, width, 3), dtype=np.uint8), (0, 0), 3)
    colour = rng.integers(40, 160, 3)
    box = np.s_[height // 3 : -4, width // 4 : -width // 4]
    render = np.zeros((height, width, 4), np.uint8)
    render[box] = (*colour, 255)
    photo = person.copy()
    photo[box] = np.rint(0.7 * colour)
    own = {"person.png": person, "photo.png": photo, "render.png": render}
    if garment:
        own |= {"garment.png": np.full((40, 30, 3), colour, np.uint8)}
    own |= {f"{name}.png": picture for name, picture in pictures.items()}
    folder.mkdir(parents=True)
    for name, picture in own.items():
        if picture is not None:
            assert cv2.imwrite(str(folder / name), picture)
    return folder


def write_dataset(folder: Path, count: int = 5, garment: bool = False) -> Path:
    for number in range(count):
        row = write_row(folder / f"row-{number}", number, garment)
        (row / "caption.txt").write_text("a jacket\n")
    return folder


def write_pose(row: Path, points: list[dict[str, float]]) -> None:
    (row / "pose.json").write_text(json.dumps({"landmarks": points}))
