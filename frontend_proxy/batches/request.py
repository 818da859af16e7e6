"""The request of a batch: read from JSON, JSON lines or a form, and as bytes for the store.

Whatever is wrong with one capture fails that one alone.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import msgpack
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.requests import Request

from frontend_proxy.batches.record import BatchItem
from frontend_proxy.captures.limits import PICTURES, check_capture
from frontend_proxy.errors import InvalidInput, ProxyError
from frontend_proxy.field_types import FromJson, Id, ImageBytes
from frontend_proxy.parsing import parse_json, parse_lines, run_in_thread_if_large
from frontend_proxy.request_id import current_request_id
from frontend_proxy.schemas import Capture, validate
from frontend_proxy.settings import Settings
from frontend_proxy.web.body import is_form, read_bytes, read_model

MAX_VALUES = 500_000  # of the JSON of a whole batch: a capture with a pose has some 200


class BatchCapture(Capture):
    """One capture of a batch. `custom_id` comes back with its result, and so does its place. A picture may be
    the name of one in the batch's `images`."""

    custom_id: Id | None = None


def _read_captures(value: object) -> object:
    """The captures of a file: JSON lines, or a JSON list."""
    if isinstance(value, str):
        value = value.encode()
    return _values(value) if isinstance(value, bytes | bytearray) else value


class Batch(BaseModel):
    """The body of `POST /api/batches`: JSON, or a form whose `captures` is a file of JSON lines.

    `images` are pictures by names that the captures may use, so that each is sent once. `webhook_url` is
    notified when the batch has ended.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    captures: Annotated[
        bytes | list[Any],
        BeforeValidator(_read_captures),
        WithJsonSchema(
            {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/BatchCapture"}}
        ),
    ]
    images: Annotated[dict[str, ImageBytes], FromJson] = {}
    webhook_url: str | None = Field(None, max_length=2048)


async def read_batch(request: Request, max_bytes: int) -> Batch:
    """The batch of a request. Raises BodyTooLarge, UnsupportedMediaType, InvalidInput."""
    if is_form(request):
        return await read_model(request, Batch, max_bytes)
    data = await read_bytes(request, max_bytes)
    query = {name: text for name, text in request.query_params.items() if name == "webhook_url"}
    return await run_in_thread_if_large(len(data), _parse, bytes(data), query)


def _parse(data: bytes, query: Mapping[str, str]) -> Batch:
    values = _values(data)
    first = values[0] if len(values) == 1 else None
    if isinstance(first, dict) and "user_image" not in first:
        return validate(Batch, {**query, **first})
    return validate(Batch, {**query, "captures": values})


def _values(data: bytes | bytearray) -> list[Any]:
    """The values of JSON lines; a ValueError for a line that is no JSON.

    A list is taken for its entries, and JSON of several lines for one value. Raises InvalidInput for too many
    lines or values.
    """
    try:
        whole = parse_json(data, MAX_VALUES)
    except ValueError:
        try:
            return parse_lines(data, MAX_VALUES)
        except ValueError as error:
            raise InvalidInput(f"captures: {error}; send several batches") from error
    return whole if isinstance(whole, list) else [whole]


def accepted(batch: Batch, settings: Settings) -> tuple[list[BatchItem], list[BatchCapture | None]]:
    """The batch's captures, each checked: those that cannot be made have failed already, and are None.

    Raises InvalidInput if none can be made, or if there are too many or none.
    """
    if not batch.captures:
        raise InvalidInput("captures: a list of one capture or more is needed")
    if len(batch.captures) > settings.max_batch_captures:
        raise InvalidInput(
            f"captures: at most {settings.max_batch_captures} are allowed in one batch, "
            f"not {len(batch.captures)}; send several batches"
        )
    items: list[BatchItem] = []
    captures: list[BatchCapture | None] = []
    reasons = []
    for index, value in enumerate(batch.captures):
        item = BatchItem.new(_custom_id(value))
        capture = None
        try:
            capture = _checked(value, batch.images, settings)
        except ProxyError as error:
            reasons.append(f"captures.{index}: {error}")
            item.fail(error, current_request_id())
        items.append(item)
        captures.append(capture)
    if len(reasons) == len(items):
        more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
        raise InvalidInput("; ".join(reasons[:3]) + more)
    return items, captures


def _custom_id(value: Any) -> str | None:
    given = value.get("custom_id") if isinstance(value, dict) else None
    return None if given is None or isinstance(given, list | dict) else str(given)[:128]


def _checked(value: Any, images: Mapping[str, bytes], settings: Settings) -> BatchCapture:
    if isinstance(value, ValueError):
        raise InvalidInput(f"not JSON: {value}")
    if not isinstance(value, dict):
        raise InvalidInput(f"a JSON object is needed, not {type(value).__name__}")
    named = _with_pictures(value, images)
    if isinstance(garments := value.get("garments"), list):
        named["garments"] = [
            _with_pictures(garment, images) if isinstance(garment, dict) else garment for garment in garments
        ]
    capture = validate(BatchCapture, named)
    if capture.webhook_url is not None:
        raise InvalidInput("webhook_url: give it to the batch, not to a capture of it")
    check_capture(capture, settings)
    return capture


def _with_pictures(fields: dict[str, Any], images: Mapping[str, bytes]) -> dict[str, Any]:
    """The fields with the pictures that they name."""
    named = {name: fields[name] for name in PICTURES if isinstance(fields.get(name), str)}
    return {**fields, **{name: images[text] for name, text in named.items() if text in images}}


def pack(captures: list[BatchCapture | None]) -> bytes:
    """The captures as bytes; each picture is in it once."""
    pictures: dict[bytes, int] = {}
    packed: list[str | None] = []
    for capture in captures:
        if capture is None:
            packed.append(None)
            continue
        fields = capture.model_dump(exclude_unset=True, exclude={"custom_id"})
        for entry in (fields, *(fields.get("garments") or ())):
            for name in PICTURES:
                if entry.get(name) is not None:
                    entry[name] = pictures.setdefault(entry[name], len(pictures))
        packed.append(json.dumps(fields))  # unlike MessagePack's, its whole numbers have any size
    return bytes(msgpack.packb([list(pictures), packed]))


class PackedCaptures:
    """What `pack` made. Raises ValueError if it is something else."""

    def __init__(self, data: bytes) -> None:
        self._pictures, self._captures = msgpack.unpackb(data)

    def capture(self, index: int) -> Capture:
        """The capture at this place of the batch."""
        fields = json.loads(self._captures[index])
        for entry in (fields, *(fields.get("garments") or ())):
            for name in PICTURES:
                if entry.get(name) is not None:
                    entry[name] = self._pictures[entry[name]]
        return Capture.model_validate(fields)
