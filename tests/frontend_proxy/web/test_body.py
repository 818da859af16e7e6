import base64
import json
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote, quote_plus

import pytest
from starlette.requests import Request
from starlette.types import Message

from frontend_proxy.errors import BodyTooLarge, InvalidInput, UnsupportedMediaType
from frontend_proxy.schemas import Capture, ScanRequest
from frontend_proxy.web.body import read_model, read_object


def request(
    chunks: AsyncIterator[bytes], headers: dict[str, str] | None = None, query: bytes = b""
) -> Request:
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
        await read_model(request(endless(), FORM), ScanRequest, 1000)
    assert handed_out <= 1000 + 2**16


def sent(body: bytes, kind: str | None, query: bytes = b"", **headers: str) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    named = {"Content-Type": kind} if kind is not None else {}
    raw = [
        (name.lower().replace("_", "-").encode(), value.encode()) for name, value in (named | headers).items()
    ]
    return Request({"type": "http", "method": "POST", "headers": raw, "query_string": query}, receive)


JPEG = b"\xff\xd8\xff\xe0 a photo"
TEXT = base64.b64encode(JPEG).decode()
URI = f"data:image/jpeg;base64,{TEXT}"
FORM_TYPE = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "kind", ["image/jpeg", "IMAGE/JPEG", "image/*", "application/octet-stream", FORM_TYPE, None, "text/plain"]
)
async def test_the_picture_itself_may_be_the_body_of_a_scan(kind: str | None) -> None:
    """`curl --data-binary @photo.jpg` says that it is a form, and fetch() with bytes names no type."""
    scan = await read_model(sent(JPEG, kind, b"size=512&name=null&x=1"), ScanRequest, 1000)
    assert (scan.image, scan.size, scan.name) == (JPEG, 512, None)


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "text/plain;charset=UTF-8"])
async def test_so_may_its_data_uri(kind: str) -> None:
    assert (await read_model(sent(URI.encode(), kind), ScanRequest, 1000)).image == JPEG


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        FORM_TYPE,
        "application/ld+json",
    ],
)
async def test_json_is_read_whatever_type_it_names(kind: str | None) -> None:
    """`curl -d` says that it is a form; pages say text/plain, so that no preflight is needed."""
    body = json.dumps({"image": URI, "size": 512}).encode()
    for data in (
        body,
        b"\xef\xbb\xbf" + body,
        json.dumps(body.decode()).encode(),
        body.decode().encode("utf-16"),
    ):
        scan = await read_model(sent(data, kind), ScanRequest, 1000)
        assert (scan.image, scan.size) == (JPEG, 512)


@pytest.mark.parametrize("encode", [quote, quote_plus, str, lambda uri: uri.replace("+", "%2b")])
async def test_a_url_encoded_form(encode: Callable[[str], str]) -> None:
    body = f"image={encode(URI)}&size=512&corners=null&save=undefined&fabric_class="
    scan = await read_model(sent(body.encode(), FORM_TYPE), ScanRequest, 1000)
    assert (scan.image, scan.size, scan.corners, scan.save, scan.fabric_class) == (
        JPEG,
        512,
        None,
        False,
        None,
    )


@pytest.mark.parametrize(
    "kind", ["text/xml", "multipart/mixed; boundary=b", "application/msgpack", "application/pdf"]
)
async def test_another_type_is_refused_and_told_what_is_taken(kind: str) -> None:
    for model in (ScanRequest, Capture):
        with pytest.raises(UnsupportedMediaType, match=r"application/json.*multipart/form-data"):
            await read_model(sent(b"<xml>", kind), model, 1000)
    with pytest.raises(UnsupportedMediaType, match="application/json"):
        await read_object(sent(b"<xml>", kind), 1000)


async def test_a_capture_has_several_pictures_so_one_alone_is_refused() -> None:
    with pytest.raises(UnsupportedMediaType, match="with its pictures"):
        await read_model(sent(JPEG, "image/jpeg"), Capture, 1000)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate"])
async def test_a_compressed_body_is_refused_by_name(encoding: str) -> None:
    with pytest.raises(UnsupportedMediaType, match=encoding):
        await read_model(sent(b"\x1f\x8b", "application/json", Content_Encoding=encoding), ScanRequest, 1000)


@pytest.mark.parametrize("kind", [None, "application/json", FORM_TYPE, "text/plain"])
async def test_an_empty_body_is_invalid_input(kind: str | None) -> None:
    with pytest.raises(InvalidInput):
        await read_model(sent(b"", kind), Capture, 1000)
