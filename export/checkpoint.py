"""Finds a checkpoint and its family: a folder, a file or a hub id."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from export.errors import ExportError
from export.hub import file_names
from families import registry
from families.family import Family, Loaded

_EXAMPLE = "give a folder or a hub id like stable-diffusion-v1-5/stable-diffusion-inpainting"
# A checkpoint in one file.
SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")


@dataclass(frozen=True)
class Located:
    """A checkpoint on this machine.

    files: every one that decides what is exported.
    beside: files that come with it, by their names in the family's BESIDE.
    """

    path: Path
    family: Family
    files: Sequence[Path]
    beside: Mapping[str, Path] = field(default_factory=dict)

    def load(self) -> Loaded:
        """Raises ExportError."""
        return self.family.load(self.path, **self.beside)

    def fingerprint(self) -> str:
        """SHA-256 over the names and contents of the files. Raises ExportError."""
        parent = self.path.parent if self.path.is_file() else self.path
        digest = hashlib.sha256()
        for path in self.files:
            name = (
                path.relative_to(parent) if path.is_relative_to(parent) else Path(path.parent.name, path.name)
            )
            digest.update(name.as_posix().encode(errors="surrogateescape"))
            try:
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise ExportError(f"{path} cannot be read: {error.strerror}") from error
        return digest.hexdigest()


def locate(checkpoint: str, beside: Mapping[str, Path] | None = None) -> Located:
    """The checkpoint on this machine; a hub id is downloaded or found in the hub's cache.

    beside: files that come with it, by name.

    Raises ExportError if there is no such checkpoint, or if no family can export it.
    """
    if not checkpoint:
        raise ExportError(f"no checkpoint is given: {_EXAMPLE}")
    path = _on_disk(checkpoint)
    if path is None:
        if _is_path(checkpoint):
            raise ExportError(f"there is no checkpoint folder {checkpoint}: {_EXAMPLE}")
        path = _download(checkpoint)
    family = registry.recognise(path)
    if family is None:
        raise ExportError(_nobodys(path))
    beside = beside or {}
    if foreign := sorted(set(beside) - set(getattr(family, "BESIDE", ()))):
        raise ExportError(f"{path} is {family.TITLE}, which takes no {foreign[0]}")
    return Located(path, family, family.check(path, **beside), beside)


def _on_disk(checkpoint: str) -> Path | None:
    """The folder or file; the folder, too, if it is given by its index."""
    try:
        path = Path(checkpoint).expanduser()
        if path.is_dir():
            return path
        if path.is_file():
            return path.parent if path.name == "model_index.json" else path
    except (OSError, RuntimeError, ValueError):  # it cannot be a path: too long, or ~nobody
        pass
    return None


def _is_path(checkpoint: str) -> bool:
    """Whether this can only mean a path, and is never to be asked of the hub."""
    return (
        re.fullmatch(r"\w[\w.-]*/\w[\w.-]*(:\w[\w.-]*)?", checkpoint, re.ASCII) is None
        or checkpoint.lower().endswith(SUFFIXES)
        or Path(checkpoint).parent.exists()
    )


def _download(hub_id: str) -> Path:
    """The folder with what the family needs, which the names of the repository's files tell.

    hub_id: with a version behind a colon where a repository has several.
    """
    names = file_names(hub_id.partition(":")[0])
    family = registry.claimed(names)
    if family is None:
        raise ExportError(f"{hub_id} on the hub is {_OF_NO_FAMILY} ({', '.join(registry.titles())})")
    return family.download(hub_id)


_OF_NO_FAMILY = "of no family that can be exported"


def _nobodys(path: Path) -> str:
    known = ", ".join(registry.titles())
    if path.is_file():
        return f"{path} is {_OF_NO_FAMILY} ({known}): give a folder, or a .safetensors or .ckpt file"
    files = sorted(it for it in path.iterdir() if it.suffix in SUFFIXES)
    hint = f"; to export its single file, give {files[0]}" if files else ""
    return (
        f"{path} is {_OF_NO_FAMILY} ({known}): it is not a diffusers folder, without model_index.json{hint}"
    )
