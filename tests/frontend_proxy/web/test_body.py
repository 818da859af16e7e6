from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request
from starlette.types import Message

from frontend_proxy.errors import BodyTooLarge, InvalidInput
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


async def one_by_one(body: bytes) -> AsyncIterator[bytes]:
    for i in range(len(body)):
        yield body[i : i + 1]


def ended(chunks: AsyncIterator[bytes], headers: dict[str, str]) -> Request:
    """Unlike `request`, its body ends."""

    async def receive() -> Message:
        chunk = await anext(chunks, b"")
        return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


async def test_a_form_s_texts_and_file() -> None:
    """However the network cuts it up; an input that was left empty is as if it were not there."""
    photo = bytes(range(256)) * 3
    body = part("name", "Köper".encode()) + part("size", b"") + part("image", photo, "a.jpg") + b"--b--\r\n"
    fields = await read_form(ended(one_by_one(body), FORM), 10_000)
    assert fields == {"name": "Köper", "image": photo}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "multipart/form-data"}, b""),
        (FORM, b"no form at all"),
        (FORM, part("image", b"1", "a") + part("image", b"2", "b") + b"--b--\r\n"),
        (FORM, part("name", b"x" * 2**21) + b"--b--\r\n"),
    ],
    ids=["no boundary", "no form", "two files", "a long text"],
)
async def test_what_is_no_form_is_said_so(headers: dict[str, str], body: bytes) -> None:
    async def whole() -> AsyncIterator[bytes]:
        yield body

    with pytest.raises(InvalidInput, match="multipart/form-data"):
        await read_form(ended(whole(), headers), 2**22)


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
