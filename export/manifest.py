"""`model_repository/manifest.json`: what was exported, from what, with which packages and errors."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "diffusers", "transformers", "onnx", "onnxscript", "onnxruntime")
# The modules outside export/ and families/ that decide what is exported: the recipes, and the light reader,
# which is traced, with the planes that it sees.
MODULES = ("pipeline/recipe.py", "pipeline/light/light_reader.py", "pipeline/garment/scene.py")

_FIELDS = {"key", "profile", "checkpoint", "files"}  # of every export, also of older ones


def versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def read(repository: Path) -> dict[str, Any] | None:
    """The manifest; None if there is none, or if an export has not written it."""
    try:
        manifest = json.loads((repository / "manifest.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    written = isinstance(manifest, dict) and manifest.keys() >= _FIELDS
    return manifest if written else None


def is_current(repository: Path, key: str) -> bool:
    """Whether the repository contains every artefact of an export with this key."""
    manifest = read(repository)
    return manifest is not None and manifest["key"] == key and is_complete(repository, manifest)


def is_complete(repository: Path, manifest: dict[str, Any]) -> bool:
    """Whether every artefact of the manifest is there with its size."""
    return all(
        (repository / name).exists() and (repository / name).stat().st_size == entry["bytes"]
        for name, entry in manifest["files"].items()
    )


def describe_files(repository: Path, files: list[Path]) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of each artefact, by its path within the repository."""
    described = {}
    for path in files:
        described[path.relative_to(repository).as_posix()] = {
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
        }
    return described


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
