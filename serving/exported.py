"""What the model repository contains, from the manifest that the export wrote."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from serving.errors import CannotServe

T = TypeVar("T")


@dataclass(frozen=True)
class Exported:
    """One export.

    checkpoint: its name alone, which everybody may know; no path of this machine.
    source: the folder or hub id that it came from.
    loras: each as `name:weight`.
    family: its title. licence: of the weights, as in families.family; None in older manifests.
    stand_ins: what takes the place of something that is missing, one sentence each.
    """

    checkpoint: str
    source: str
    profile: str
    precision: str
    loras: tuple[str, ...]
    exported_at: str
    family: str = "unknown"
    licence: Mapping[str, Any] | None = None
    stand_ins: tuple[str, ...] = ()

    def __str__(self) -> str:
        loras = f", LoRAs {', '.join(self.loras)}" if self.loras else ""
        return f"{self.checkpoint} (profile {self.profile}, {self.precision}{loras})"


def read_exported(repository: Path) -> Exported:
    """Raises CannotServe if nothing is exported, or if the manifest is none."""
    return _read(repository, describe)


def read_stages(repository: Path) -> list[str]:
    """The names of the exported networks. Raises CannotServe as `read_exported` does."""
    return _read(repository, lambda manifest: list(manifest["stages"]))


def read_sizes(repository: Path) -> dict[str, int]:
    """Each exported file's size in bytes, by its path. Raises CannotServe as `read_exported` does."""
    return _read(repository, lambda manifest: {name: it["bytes"] for name, it in manifest["files"].items()})


def read_manifest(repository: Path) -> dict[str, Any]:
    """The manifest as it is. Raises CannotServe as `read_exported` does."""
    return _read(repository, lambda manifest: {"profile": manifest["profile"]} | manifest)


def write_manifest(repository: Path, manifest: Mapping[str, Any]) -> None:
    """Whole or not at all. Raises OSError if the repository is read-only."""
    partial = repository / f"manifest.json.{os.getpid()}"
    try:
        partial.write_text(json.dumps(manifest, indent=2) + "\n")
        os.replace(partial, repository / "manifest.json")
    finally:
        partial.unlink(missing_ok=True)


def _read(repository: Path, what: Callable[[dict[str, Any]], T]) -> T:
    path = repository / "manifest.json"
    try:
        return what(json.loads(path.read_text()))
    except FileNotFoundError:
        raise CannotServe("nothing is exported yet: run `make export` first") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CannotServe(f"{path} cannot be read ({error!r}): run `make export`") from error


def describe(manifest: dict[str, Any]) -> Exported:
    """The manifest's export. Raises KeyError without a profile; other fields may be missing."""
    checkpoint = manifest.get("checkpoint", {}).get("name", "unknown")
    source = manifest.get("request", {}).get("checkpoint", checkpoint)
    return Exported(
        checkpoint=public_name(source),
        source=source,
        profile=manifest["profile"],
        precision=manifest.get("precision", "unknown"),
        loras=tuple(f"{Path(it['path']).stem}:{it['weight']:g}" for it in manifest.get("loras", [])),
        exported_at=manifest.get("exported_at", "an unknown time"),
        family=manifest.get("family", {}).get("title", "unknown"),
        licence=manifest.get("licence"),
        stand_ins=tuple(manifest.get("stand_ins", ())),
    )


def public_name(source: str) -> str:
    """The name of a checkpoint: a hub id, or a folder's own name.

    The hub's cache has folders like models--owner--name/snapshots/<hash>.
    """
    cached = next((part for part in Path(source).parts if part.startswith("models--")), None)
    if cached:
        return "/".join(cached.split("--")[1:])
    if source.startswith((".", "/", "~")) or source.count("/") != 1:
        return Path(source).expanduser().resolve().name or source
    return source
