"""Putting artefacts into the model repository: beside first, then all at once.

Until everything is written and checked, the old artefacts stay as they are; whatever ends an export
early (an error, a full disk, Ctrl-C) leaves nothing behind.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType

# Triton reads only folders with a number for a name as versions of a model.
STAGING = ".staging"


class Staging:
    """A context in which files are written beside their places; `publish` moves them there."""

    def __init__(self, repository: Path):
        self._repository = repository
        self._folders: dict[str, Path] = {}

    def __enter__(self) -> "Staging":
        return self

    def folder(self, model: str) -> Path:
        """Where to write the artefacts of `model`."""
        if model not in self._folders:
            path = self._repository / model / STAGING
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
            self._folders[model] = path
        return self._folders[model]

    def publish(self) -> list[Path]:
        """Move every written file to its place; returns the places.

        The manifest goes first, so that an export that is cut off here counts as none.
        """
        (self._repository / "manifest.json").unlink(missing_ok=True)
        published = []
        for model, folder in self._folders.items():
            place = self._repository / model / "1"
            place.mkdir(exist_ok=True)
            if (folder / "model.onnx").exists():
                for old in (
                    "model.onnx.data",
                    "model.plan",
                    "model.plan.json",
                    "model.plan.layers.json",
                ):  # belong to the model that goes
                    (place / old).unlink(missing_ok=True)
            for path in sorted(folder.iterdir()):
                os.replace(path, place / path.name)
                published.append(place / path.name)
        return published

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in self._folders.values():
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):  # a model that came with this export, and does not come after all
                path.parent.rmdir()
