"""Reading a request's body, and no more of it than is allowed."""

from collections.abc import AsyncGenerator
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from frontend_proxy.errors import BodyTooLarge, InvalidInput
from frontend_proxy.parsing import beside_the_loop
from frontend_proxy.schemas import Model, parse_object, validate

FORM = "multipart/form-data"
MAX_FORM_FIELDS_BYTES = 2**20  # of all that is no file


async def read_model(
    request: Request, model: type[Model], max_json_bytes: int, max_files_bytes: int, max_files: int
) -> Model:
    """The body as a `model`, sent as JSON or as a form. Raises what `read_object` and `read_form` raise."""
    if request.headers.get("Content-Type", "").lower().startswith(FORM):
        fields = await read_form(request, max_files_bytes + MAX_FORM_FIELDS_BYTES, max_files)
        return validate(model, fields)
    data = await _whole(request, max_json_bytes)
    return await beside_the_loop(len(data), lambda: validate(model, parse_object(data)))


async def read_object(request: Request, max_bytes: int) -> dict[str, Any]:
    """The body as a JSON object.

    Raises BodyTooLarge as soon as it is over `max_bytes` (at once if its Content-Length says so),
    InvalidInput if it is no JSON object.
    """
    return parse_object(await _whole(request, max_bytes))


async def read_form(request: Request, max_bytes: int, max_files: int = 1) -> dict[str, str | bytes]:
    """The body as a form (RFC 7578) with at most `max_files` files, which come as bytes.

    An input that was left empty is left out. Raises BodyTooLarge as `read_object` does, InvalidInput if
    it is no such form.
    """
    parser = MultiPartParser(
        request.headers, _chunks(request, max_bytes), max_files=max_files, max_fields=100
    )
    parser.spool_max_size = max_bytes  # a shopper's photo never touches the disk
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidInput(f"not a readable {FORM} body: {error.message}") from error
    parts = {name: await _content(value) for name, value in form.multi_items()}
    await form.close()
    return {name: value for name, value in parts.items() if value}


async def _whole(request: Request, max_bytes: int) -> bytes:
    return b"".join([chunk async for chunk in _chunks(request, max_bytes)])


async def _content(value: str | UploadFile) -> str | bytes:
    return await value.read() if isinstance(value, UploadFile) else value


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
