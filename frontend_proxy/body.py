"""Reading a request's JSON body, and no more of it than is allowed."""

from typing import Any

from starlette.requests import Request

from frontend_proxy.errors import BodyTooLarge
from frontend_proxy.schemas import parse_object


async def read_object(request: Request, max_bytes: int) -> dict[str, Any]:
    """The body as a JSON object.

    Raises BodyTooLarge as soon as it is over `max_bytes` (at once if its Content-Length says so),
    InvalidInput if it is no JSON object.
    """
    too_large = BodyTooLarge(f"the body has more than {max_bytes} bytes; send smaller images")
    length = request.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length) > max_bytes:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    return parse_object(bytes(body))
