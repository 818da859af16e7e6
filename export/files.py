"""Reads a checkpoint's files, and says in one sentence what is wrong with one that cannot be read."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.errors import ExportError, first_line

_LFS = b"version https://git-lfs"


def read_json(path: Path) -> dict[str, Any]:
    """The file's JSON object. Raises ExportError, which names the file."""
    check_text(path)
    try:
        data = path.read_bytes()
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ExportError(
            f"{path} is not JSON ({first_line(error)}): if it is cut off, copy or download it again"
        ) from error
    if not isinstance(found, dict):
        raise ExportError(f"{path} is not a JSON object")
    return found


def read_part(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object of a file that the folder must have. Raises ExportError, which names the file."""
    path = folder / name
    if not path.is_file():
        raise ExportError(f"{folder} is incomplete: {path} is missing")
    return read_json(path)


def other_component(index: Mapping[str, Any], wanted: Mapping[str, str]) -> tuple[str, str | None] | None:
    """The first part of a `model_index.json` that is not of the wanted class, and its class, None if it is
    missing; None if all parts are as wanted. A `Fast` tokenizer counts as its slow one."""
    for part, kind in wanted.items():
        entry = index.get(part)
        found = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
        if not isinstance(found, str) or found.removesuffix("Fast") != kind:
            return part, found
    return None


def check_text(path: Path) -> None:
    """Raises ExportError, which names the file, if it has no text."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}") from error
    if not data.strip():
        raise ExportError(f"{path} is empty: copy or download it again")
    if data.startswith(_LFS):
        raise ExportError(f"{path} is a Git-LFS pointer, not the file itself: run `git lfs pull`")


def check_weights(path: Path) -> None:
    """Raises ExportError, which names the file, if these are no weights, or not all of them."""
    error: Exception | None = None
    try:
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, "np"):
                return
        with path.open("rb") as file:
            start = file.read(2)
        # torch's files are zip archives; before 1.6 they were bare pickles.
        if zipfile.is_zipfile(path) or start == b"\x80\x02":
            return
    except Exception as raised:  # safetensors raises its own errors and OSError
        error = raised
    raise ExportError(f"{path} cannot be read: {weights_fault(path, error)}")


def weights_fault(path: Path, error: Exception | None = None) -> str:
    """What is wrong with a file of weights that cannot be read."""
    try:
        if path.stat().st_size == 0:
            return "it is empty: copy or download it again"
        with path.open("rb") as file:
            start = file.read(len(_LFS))
    except OSError as raised:
        return raised.strerror or first_line(raised)
    if start == _LFS:
        return "it is a Git-LFS pointer, not the weights: run `git lfs pull`"
    reason = f" ({first_line(error)})" if error is not None else ""
    return f"it is cut off, or of another kind{reason}: copy or download it again"
