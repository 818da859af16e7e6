"""Reads a request's body, and no more of it than is allowed."""

from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request

from frontend_proxy.errors import BodyTooLarge
from frontend_proxy.parsing import run_in_thread_if_large
from frontend_proxy.schemas import Model, parse_object, validate
from frontend_proxy.web.form import MAX_FIELDS_BYTES, Form, is_form, parse_form

_FRAMING_BYTES = 2**16  # boundaries and headers of a form's parts


async def read_model(
    request: Request, model: type[Model], max_json_bytes: int, max_files_bytes: int, max_files: int
) -> Model:
    """The body as a `model`, sent as JSON or as a form. Raises what `read_object` and `read_form` raise."""
    if is_form(request):
        fields = await read_form(request, max_files_bytes + MAX_FIELDS_BYTES + _FRAMING_BYTES, max_files)
        return validate(model, fields)
    data = await _whole(request, max_json_bytes)
    return await run_in_thread_if_large(len(data), lambda: validate(model, parse_object(data)))


async def read_object(request: Request, max_bytes: int) -> dict[str, Any]:
    """The body as a JSON object.

    Raises BodyTooLarge as soon as it is over `max_bytes` (at once if its Content-Length says so),
    InvalidInput if it is not a JSON object.
    """
    return parse_object(await _whole(request, max_bytes))


async def read_form(request: Request, max_bytes: int, max_files: int = 1) -> Form:
    """The body as a form with at most `max_files` files, which come as bytes.

    Raises BodyTooLarge as `read_object` does, InvalidInput as `parse_form` does.
    """
    return await parse_form(
        request.headers.get("Content-Type", ""), _chunks(request, max_bytes), max_files=max_files
    )


async def _whole(request: Request, max_bytes: int) -> bytearray:
    """In one growing array: a list of chunks and their sum would take the memory twice."""
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
