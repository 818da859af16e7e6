"""Reads a request's body, and no more of it than is allowed."""

from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request

from frontend_proxy.errors import BodyTooLarge, UnsupportedMediaType
from frontend_proxy.parsing import run_in_thread_if_large
from frontend_proxy.schemas import Model, parse_object, validate
from frontend_proxy.web.form import (
    MULTIPART,
    URL_ENCODED,
    FormFields,
    nested,
    parse_multipart,
    parse_url_encoded,
    text_fields,
    text_or_bytes,
)

JSON = "application/json"
_FRAMING_BYTES = 2**16  # boundaries and headers of a form's parts
_TEXT = ("", "text/plain")  # as clients send JSON that name no type, or avoid a preflight
_ALONE = ("application/octet-stream", "text/plain")  # of a picture or its data URI, beside image/*


async def read_model(request: Request, model: type[Model], max_bytes: int) -> Model:
    """The body as a `model`: JSON, a form, or the picture itself where the model needs a single one.

    Many clients name the wrong type, so the first bytes decide where they can.

    Raises BodyTooLarge as soon as it is over `max_bytes` (at once if its Content-Length says so),
    UnsupportedMediaType, InvalidInput.
    """
    fields = FormFields.of(model)
    kind = _media_type(request)
    if kind == MULTIPART:
        chunks = _chunks(request, max_bytes + _FRAMING_BYTES)
        form = await parse_multipart(request.headers["Content-Type"], chunks, fields)
        size = sum(map(len, form.values()))
        return await run_in_thread_if_large(size, lambda: validate(model, nested(form, model)))
    data = await read_bytes(request, max_bytes)

    def read() -> Model:
        if _is_json(data):
            return validate(model, parse_object(data))
        is_picture = _is_picture(data)
        if kind == URL_ENCODED and not is_picture:
            return validate(model, nested(parse_url_encoded(data, fields), model))
        is_alone = is_picture or kind in _ALONE or kind.startswith("image/")
        if is_alone and len(fields.needed) == 1:
            (image,) = fields.needed
            return validate(model, text_fields(request.query_params, fields) | {image: text_or_bytes(data)})
        if is_picture or not _names_json(kind):
            raise _unsupported(kind, len(fields.needed))
        return validate(model, parse_object(data))

    return await run_in_thread_if_large(len(data), read)


async def read_object(request: Request, max_bytes: int) -> dict[str, Any]:
    """The body as a JSON object. Raises what `read_model` raises."""
    kind = _media_type(request)
    data = await read_bytes(request, max_bytes)
    if not _is_json(data) and not _names_json(kind):
        raise UnsupportedMediaType(f"send {JSON} here, not {kind[:100]}")
    return parse_object(data)


def is_form(request: Request) -> bool:
    """Whether it is a form with files."""
    return _media_type(request) == MULTIPART


def _media_type(request: Request) -> str:
    """In small letters. Raises UnsupportedMediaType if the body is compressed."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType(
            f"send the body without Content-Encoding ({encoding[:100]}); pictures are compressed already"
        )
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _names_json(kind: str) -> bool:
    return kind in _TEXT or kind.endswith(("json", "javascript"))


def _is_json(data: bytearray) -> bool:
    """By its first character, also in UTF-16 and after a byte order mark."""
    return data[:64].lstrip(b"\xef\xbb\xbf\xfe\xff\0 \t\r\n").startswith((b"{", b"[", b'"'))


def _is_picture(data: bytearray) -> bool:
    """By its first bytes: text has only ASCII ones there. HEIC and AVIF have `ftyp`, WebP has `RIFF`."""
    return not data[:12].isascii() or data[4:8] == b"ftyp" or data[:4] == b"RIFF"


def _unsupported(kind: str, images: int) -> UnsupportedMediaType:
    more = ", or the picture itself as image/jpeg" if images == 1 else " with its pictures"
    kind = kind[:100] or "a picture alone"
    return UnsupportedMediaType(
        f"{kind} cannot be read here; send {JSON}, {MULTIPART} or {URL_ENCODED}{more}"
    )


async def read_bytes(request: Request, max_bytes: int) -> bytearray:
    """The body, whatever it is. Raises BodyTooLarge, UnsupportedMediaType if it is compressed.

    In one growing array: a list of chunks and their sum would take the memory twice.
    """
    _media_type(request)
    data = bytearray()
    async for chunk in _chunks(request, max_bytes):
        data += chunk
    return data


async def _chunks(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body as it arrives. Raises BodyTooLarge."""
    too_large = BodyTooLarge(f"the body has more than {max_bytes} bytes; send smaller images")
    length = request.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length) > max_bytes:
        raise too_large
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise too_large
        yield chunk
