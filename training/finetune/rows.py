"""The dataset's layout: one folder for each row, or for each row of one person in a folder of theirs.

dataset/row-1/person.jpg            the shopper, before
dataset/row-1/photo.jpg             the same shot, in the real garment
dataset/row-1/render.png            the garment as the frontend draws it, transparent around it
dataset/row-1/garment.jpg           or a photo of the garment alone
dataset/row-1/mask.png              optional: white where the garment is, on the render or the person
dataset/row-1/pose.json             optional: {"landmarks": [33 × {"x", "y", "z", "visibility"}]}
dataset/row-1/caption.txt           optional: one sentence about the photo
dataset/anna/row-7/person.jpg       rows in a folder `anna` show one person
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from training.landmarks import KEYS, from_points

# Every picture may be JPEG, PNG or WebP.
PICTURES = ("person", "photo", "render", "garment", "mask")
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_TEXTS = ("pose.json", "caption.txt", "row.json")
# What file servers and archives leave beside rows, and would be told to be a row without pictures.
_OF_PROGRAMS = {"@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "__macosx", "lost+found"}
_OF_PROGRAMS |= {"$recycle.bin", "system volume information"}
_NONE = np.zeros(1, np.uint8)


@dataclass(frozen=True)
class Row:
    """name: its folder, relative to the dataset's."""

    folder: Path
    name: str

    def path(self, picture: str) -> Path | None:
        """The file of one of PICTURES; None if the row has none."""
        return self.file(*(f"{picture}{ending}" for ending in _ENDINGS))

    def file(self, *names: str) -> Path | None:
        """The first of these that is there; in any case, since cameras write PERSON.JPG."""
        found = {path.name.lower(): path for path in sorted(self.folder.iterdir()) if path.is_file()}
        return next((found[name] for name in names if name in found), None)

    def read(self, picture: str) -> np.ndarray:
        """The file's bytes, (N,) uint8; one byte if there is none, as the server has it."""
        path = self.path(picture)
        return _NONE if path is None else np.fromfile(path, np.uint8)

    @cached_property
    def caption(self) -> str:
        """Empty without a caption.txt. Raises ValueError for one that is not in UTF-8."""
        path = self.file("caption.txt")
        try:
            return "" if path is None else " ".join(path.read_text(encoding="utf-8-sig").split())
        except UnicodeDecodeError as error:
            raise ValueError(f"caption.txt is not in UTF-8: {error}") from error

    @property
    def pose(self) -> np.ndarray:
        """(33, 4) float32; all zero without a pose.json. Raises ValueError for one that is broken."""
        path = self.file("pose.json")
        if path is None:
            return np.zeros((33, 4), np.float32)
        try:
            points = json.loads(path.read_bytes())["landmarks"]
            pose = from_points(points)
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError(f"pose.json has no landmarks of {', '.join(KEYS)}: {error}") from error
        if pose.shape != (33, 4):
            raise ValueError(f"pose.json has {len(pose)} landmarks instead of 33")
        return pose

    @property
    def by_model(self) -> bool:
        """Whether the photo is no photograph but a capture that was accepted (`POST /api/collect`)."""
        path = self.file("row.json")
        try:
            return path is not None and bool(json.loads(path.read_bytes()).get("photo") == "capture")
        except (OSError, ValueError, AttributeError):
            return False

    @cached_property
    def person(self) -> str:
        """Who it shows: the folder's name above the row's, or else the picture of the person itself."""
        above, _, _ = self.name.rpartition("/")
        return above or hashlib.sha256(self.read("person").tobytes()).hexdigest()

    @cached_property
    def photo_digest(self) -> str:
        """SHA-256 of the photo's file."""
        return hashlib.sha256(self.read("photo").tobytes()).hexdigest()

    def digest(self) -> str:
        """SHA-256 of everything in the row that training reads, and of nothing else: file managers leave
        files of their own there."""
        digest = hashlib.sha256()
        read = [*(self.path(name) for name in PICTURES), *(self.file(name) for name in _TEXTS)]
        for path in sorted(it for it in read if it is not None):
            digest.update(os.fsencode(path.name) + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def find_rows(dataset: Path) -> list[Row]:
    """Every folder of the dataset that looks like a row, sorted by name. Raises FileNotFoundError."""
    if not dataset.is_dir():
        raise FileNotFoundError(f"there is no folder {dataset}")
    rows = [Row(folder, str(folder.relative_to(dataset))) for folder in _folders(dataset)]
    if not rows:
        raise FileNotFoundError(
            f"{dataset} has no rows: each is a folder with person.jpg, photo.jpg, and render.png or "
            "garment.jpg"
        )
    return rows


def _folders(dataset: Path) -> Iterator[Path]:
    for folder in _shown(dataset):
        # Programs leave folders of their own even within a row.
        is_row = Row(folder, folder.name).path("person") is not None
        yield from [folder] if is_row else _shown(folder) or [folder]


def _shown(folder: Path) -> list[Path]:
    """Its folders. What is being collected at this moment begins with a dot, as what programs hide does."""
    shown = (
        it for it in folder.iterdir() if not it.name.startswith(".") and it.name.lower() not in _OF_PROGRAMS
    )
    return sorted(it for it in shown if it.is_dir())


def data_digest(rows: list[Row]) -> str:
    """SHA-256 of the whole dataset."""
    listed = "".join(f"{row.name} {row.digest()}\n" for row in rows)
    return hashlib.sha256(os.fsencode(listed)).hexdigest()
