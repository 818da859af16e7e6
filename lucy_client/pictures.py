"""Pictures as programs have them: bytes, a path, a data URI."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

Picture = bytes | str | Path

FIELDS = ("user_image", "jacket_render", "garment_image", "mask")
_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}
_ANY_TYPE = "application/octet-stream"  # of HEIC and AVIF, too: the server looks at the bytes


def read(picture: Picture) -> bytes:
    """Raises OSError for a file that cannot be read."""
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, str) and picture.startswith("data:"):
        return base64.b64decode(picture.partition(",")[2])
    return Path(picture).read_bytes()


def with_pictures(fields: dict[str, Any], convert: Callable[[Picture], Any]) -> dict[str, Any]:
    """The fields of a capture or keyframe with every picture converted, also those of its `garments`."""
    found = {
        name: convert(value) if name in FIELDS and value is not None else value
        for name, value in fields.items()
    }
    if fields.get("garments"):
        found["garments"] = [with_pictures(garment, convert) for garment in fields["garments"]]
    return found


def as_form(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The fields of a form and its files; those of a garment as `garments.0.layer`."""
    flat = {name: value for name, value in fields.items() if name != "garments"}
    for place, garment in enumerate(fields.get("garments") or ()):
        flat |= {f"garments.{place}.{name}": value for name, value in garment.items()}
    files = {
        name: read(value)
        for name, value in flat.items()
        if name.rpartition(".")[2] in FIELDS and value is not None
    }
    return {name: value for name, value in flat.items() if name not in files}, files


def data_uri(data: bytes) -> str:
    kind = next((kind for start, kind in _TYPES.items() if data.startswith(start)), _ANY_TYPE)
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def sizes(capture: dict[str, Any]) -> dict[Picture, int]:
    """Bytes of each picture of a capture in the body of a batch. Raises OSError for a missing file."""
    found: dict[Picture, int] = {}

    def measure(picture: Picture) -> None:
        if isinstance(picture, str) and picture.startswith("data:"):
            found[picture] = len(picture)
        else:
            size = len(picture) if isinstance(picture, bytes) else Path(picture).stat().st_size
            found[picture] = (size + 2) // 3 * 4

    with_pictures(capture, measure)
    return found


def shared(captures: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """A batch's captures with names in place of pictures, and the pictures by these names, each once."""
    names: dict[str, str] = {}
    pictures: dict[str, str] = {}

    def name_of(picture: Picture) -> str:
        known = str(picture) if isinstance(picture, Path | str) else ""
        if known not in names or not known:
            data = read(picture)
            name = hashlib.sha256(data).hexdigest()[:16]
            pictures.setdefault(name, data_uri(data))
            names[known] = name
        return names[known]

    return [with_pictures(capture, name_of) for capture in captures], pictures
