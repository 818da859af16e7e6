"""A folder of pictures as a batch, and a batch's results as a folder.

    folder/people/*      every person …
    folder/garments/*    … in every garment of which there is a photo,
    folder/renders/*     … and in every garment that is rendered over the person's picture

Or, for any other arrangement, `folder/captures.jsonl`: a capture on each line, with file names for pictures.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lucy_client import models
from lucy_client.pictures import Picture, with_pictures

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic"}
LIST = "captures.jsonl"
ID_LENGTH = 128  # what a server keeps of a custom_id


class FolderError(Exception):
    """The folder is no batch; the message says what is missing."""


def captures_of(folder: Path, options: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The batch in a folder. options: fields of every capture that does not have them. Raises FolderError."""
    found = list(_listed(folder) if (folder / LIST).is_file() else _pairs(folder))
    if not found:
        raise FolderError(f"{folder} needs {LIST}, or pictures in people/ and in garments/ or renders/")
    return [{**(options or {}), **capture} for capture in _with_own_names(found)]


def _pairs(folder: Path) -> Iterator[dict[str, Any]]:
    for person in _pictures(folder / "people"):
        for kind, field in (("garments", "garment_image"), ("renders", "jacket_render")):
            for garment in _pictures(folder / kind):
                yield {"custom_id": f"{person.stem}-{garment.stem}", "user_image": person, field: garment}


def _with_own_names(captures: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Pictures are named after `custom_id`: of captures that share a name, all but the first get a number."""
    names = {_file_name(capture["custom_id"]) for capture in captures}
    seen: set[str] = set()
    for capture in captures:
        custom_id = capture["custom_id"]
        if (name := _file_name(custom_id)) in seen:
            numbered = (f"{custom_id[: ID_LENGTH - 8]}_{number}" for number in itertools.count(2))
            custom_id = next(it for it in numbered if _file_name(it) not in names)
            names.add(_file_name(custom_id))
        seen.add(name)
        yield {**capture, "custom_id": custom_id}


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def _listed(folder: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate((folder / LIST).read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            capture = json.loads(line)
        except ValueError as error:
            raise FolderError(f"{folder / LIST}, line {number}: not JSON: {error}") from error
        if not isinstance(capture, dict):
            raise FolderError(f"{folder / LIST}, line {number}: a JSON object is needed")

        def path_of(value: Picture, place: str = f"{folder / LIST}, line {number}") -> Picture:
            if not isinstance(value, str) or value.startswith("data:"):
                return value
            path = folder / value
            if not path.is_file():
                raise FolderError(f"{place}: there is no file {path}")
            return path

        custom_id = str(capture.get("custom_id") or number)
        yield {**with_pictures(capture, path_of), "custom_id": custom_id}


def _file_name(custom_id: str) -> str:
    return "".join(it if it.isalnum() or it in "-_." else "_" for it in custom_id[:ID_LENGTH])


def pictures_of(line: models.BatchLine) -> Iterator[tuple[str, str]]:
    """(file name, URL) of each picture of a capture that succeeded."""
    name = _file_name(line.custom_id or str(line.index))
    images = (line.result or {}).get("images", [])
    for number, image in enumerate(images):
        suffix = Path(unquote(urlsplit(image["url"]).path)).suffix
        yield f"{name}{f'-{number}' if len(images) > 1 else ''}{suffix}", image["url"]
