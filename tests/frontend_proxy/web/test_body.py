from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request
from starlette.types import Message

from frontend_proxy.errors import BodyTooLarge
from frontend_proxy.web.body import read_form, read_object


def request(chunks: AsyncIterator[bytes], headers: dict[str, str] | None = None) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": await anext(chunks), "more_body": True}

    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


async def test_reading_stops_at_the_limit() -> None:
    """A limit that is checked after the body was read bounds nothing."""
    handed_out = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal handed_out
        while True:
            handed_out += 100
            yield b"x" * 100

    with pytest.raises(BodyTooLarge):
        await read_object(request(endless()), 1000)
    assert handed_out == 1100


@pytest.mark.parametrize("length", ["1001", "99999999999999999999"])
async def test_a_declared_length_over_the_limit_is_not_read_at_all(length: str) -> None:
    async def untouched() -> AsyncIterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    with pytest.raises(BodyTooLarge):
        await read_object(request(untouched(), {"Content-Length": length}), 1000)


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return f"--b\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


async def test_a_form_is_read_up_to_the_limit() -> None:
    handed_out = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal handed_out
        yield part("image", b"", "a.jpg").removesuffix(b"\r\n")
        while True:
            handed_out += 100
            yield b"x" * 100

    with pytest.raises(BodyTooLarge):
        await read_form(request(endless(), FORM), 1000)
    assert handed_out <= 1000
