"""`model_repository/manifest.json`: what was exported, from what, with what, and how close it is."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "diffusers", "transformers", "onnx", "onnxscript", "onnxruntime")


def versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def recipe_key(checkpoint_sha256: str, profile: str, precision: str, *more: object) -> str:
    """SHA-256 over all that decides what an export writes; the same key means the same artefacts.

    more: what else the caller knows that decides it, as JSON can hold it.
    """
    code = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(__file__).parent.glob("*.py"))
    }
    recipe = [checkpoint_sha256, profile, precision, versions(), code, *more]
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def read(repository: Path) -> dict[str, Any] | None:
    """The manifest, or None where nothing whole was exported."""
    try:
        manifest: dict[str, Any] = json.loads((repository / "manifest.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return manifest


def is_current(repository: Path, key: str) -> bool:
    """Whether the artefacts of an export with this key stand there whole."""
    manifest = read(repository)
    if manifest is None or manifest["key"] != key:
        return False
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
