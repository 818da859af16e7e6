"""Types of the wire contract's fields: images, ids, and values that are sent back as they came."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from frontend_proxy.image_text import from_base64, to_data_uri
from frontend_proxy.parsing import parse_json

MAX_ID = 128  # characters of a string that becomes a key or part of a log line
MAX_ECHO = 4096  # characters and values of a field that is sent back as it came
_JSON_LINES = re.compile(r"\s*(?:[\[{]|null\s)")


def read_image(value: object) -> object:
    if value is None:
        raise ValueError("an image is needed here (a data URI or base64), not null")
    return from_base64(value) if isinstance(value, str) else value


def read_optional_image(value: object) -> object:
    """None for what JavaScript makes of a picture that does not exist, such as a canvas of no size."""
    if value == b"" or (isinstance(value, str) and _is_empty(value)):
        return None
    return from_base64(value) if isinstance(value, str) else value


def _read_lines(value: object) -> object:
    """JSON lines as they are, or in base64, for which lines of `null` could be taken."""
    if isinstance(value, str) and _JSON_LINES.match(value):
        return value.encode()
    return read_optional_image(value)


def _is_empty(text: str) -> bool:
    """Whether a data URI or bare base64 has no content; `data:,` is an empty canvas's."""
    content = text[:200].partition(",")[2] if text.startswith("data:") else text[:200]
    return content.strip().lower() in ("", "null", "undefined")


def _image_or_unusable(value: object) -> object:
    """Empty bytes if it is not base64: an empty canvas's `toDataURL()` is `data:,`."""
    try:
        return from_base64(value) if isinstance(value, str) else value
    except ValueError:
        return b""


def _json(value: object) -> object:
    """Parses text: form fields hold lists and objects as JSON."""
    return parse_json(value) if isinstance(value, str) else value


def is_small(value: object) -> bool:
    """Whether a JSON value has at most `MAX_ECHO` characters and values."""
    size, rest = 0, [value]
    while rest and size <= MAX_ECHO:
        item = rest.pop()
        size += len(item) if isinstance(item, str | bytes) else 1
        if isinstance(item, dict):
            rest += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            rest += item
    return size <= MAX_ECHO


def _small(value: object) -> object:
    if not is_small(value):
        raise ValueError(f"more than {MAX_ECHO:,} characters and values; send a shorter one")
    return value


_IMAGE_SCHEMA = {
    "type": "string",
    "format": "image",
    "description": "JPEG, PNG, WebP, AVIF or HEIC, as a data URI or in bare base64; in a form a file",
}
_LANDMARK_SCHEMA = {
    "type": "object",
    "properties": {name: {"type": ["number", "null"]} for name in ("x", "y", "z", "visibility")},
}
_POSE_SCHEMA = {
    "description": "MediaPipe Pose's 33 landmarks, x and y from 0 to 1 of the frame. Other shapes, trackers "
    "and units are understood where possible; the rest counts as no pose, and `detail` says so.",
    "anyOf": [
        {
            "type": "object",
            "properties": {"landmarks": {"type": ["array", "null"], "items": _LANDMARK_SCHEMA}},
        },
        {},
    ],
}
_OPTIONAL_IMAGE_SCHEMA = {**_IMAGE_SCHEMA, "type": ["string", "null"]}
AnyPose = Annotated[Any, WithJsonSchema(_POSE_SCHEMA)]
Echoed = Annotated[Any, AfterValidator(_small)]
Id = Annotated[str, Field(max_length=MAX_ID)]
ImageBytes = Annotated[bytes, BeforeValidator(read_image), WithJsonSchema(_IMAGE_SCHEMA)]
JpegDataUri = Annotated[
    bytes,
    PlainSerializer(lambda data: to_data_uri(data, "image/jpeg"), when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^data:image/jpeg;base64,"}),
]
WebpDataUri = Annotated[
    bytes,
    BeforeValidator(lambda value: from_base64(value) if isinstance(value, str) else value),
    PlainSerializer(lambda data: to_data_uri(data, "image/webp"), when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^data:image/webp;base64,"}),
]
OptionalImageBytes = Annotated[
    bytes | None, BeforeValidator(read_optional_image), WithJsonSchema(_OPTIONAL_IMAGE_SCHEMA)
]
_FILM_SCHEMA = {"type": "string", "format": "film", "description": "a file; in JSON in base64"}
FilmBytes = Annotated[bytes, BeforeValidator(read_image), WithJsonSchema(_FILM_SCHEMA)]
_OPTIONAL_FILM_SCHEMA = {**_FILM_SCHEMA, "type": ["string", "null"]}
OptionalFilmBytes = Annotated[
    bytes | None, BeforeValidator(read_optional_image), WithJsonSchema(_OPTIONAL_FILM_SCHEMA)
]
JsonLines = Annotated[bytes | None, BeforeValidator(_read_lines), WithJsonSchema(_OPTIONAL_FILM_SCHEMA)]
RenderBytes = Annotated[bytes | None, BeforeValidator(_image_or_unusable)]
FromJson = BeforeValidator(_json)
