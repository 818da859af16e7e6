"""Publishes artefacts in the model repository: written to a staging folder first, then moved all at once.

The old artefacts are unchanged until everything is written and checked. An export that ends early (an error,
a full disk, Ctrl-C) leaves nothing behind.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType

# Triton reads only folders with a number for a name as versions of a model.
STAGING = ".staging"


class Staging:
    """A context in which files are written to staging folders; `publish` moves them to the models."""

    def __init__(self, repository: Path):
        self._repository = repository
        self._folders: dict[str, Path] = {}

    def __enter__(self) -> "Staging":
        return self

    def folder(self, model: str) -> Path:
        """The folder to write the artefacts of `model` into."""
        if model not in self._folders:
            path = self._repository / model / STAGING
            shutil.rmtree(path, ignore_errors=True)
            self._folders[model] = path
            path.mkdir(parents=True)
        return self._folders[model]

    def publish(self) -> list[Path]:
        """Move every file into its model's folder; returns the new paths.

        The manifest is deleted first, so that an export that is interrupted here does not count as one.
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
                    "model.pt2",
                ):  # belong to the model that is replaced
                    (place / old).unlink(missing_ok=True)
            for path in sorted(folder.iterdir()):
                os.replace(path, place / path.name)
                published.append(place / path.name)
        return published

    def remove(self) -> None:
        """Remove what is staged and not published."""
        for path in list(self._folders.values()):
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):  # a model that only this failed export would have added
                path.parent.rmdir()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
