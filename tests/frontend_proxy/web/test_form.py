from collections.abc import AsyncIterator

import pytest

from frontend_proxy.errors import InvalidInput
from frontend_proxy.web.form import MAX_FIELDS, MAX_FIELDS_BYTES, MAX_HEADER_BYTES, parse_form

FORM = "multipart/form-data; boundary=b"
END = b"--b--\r\n"


def part(name: str, content: bytes, filename: str | None = None, **headers: str) -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    lines = [f"Content-Disposition: {disposition}"]
    lines += [f"{header.replace('_', '-')}: {value}" for header, value in headers.items()]
    return "\r\n".join(["--b", *lines, "", ""]).encode() + content + b"\r\n"


async def chunks(body: bytes, size: int = 2**16) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 2**16])
async def test_texts_and_a_file_however_the_network_cuts_them(size: int) -> None:
    """A field that was left empty is left out."""
    photo = bytes(range(256)) * 3
    body = part("name", "Köper".encode()) + part("size", b"") + part("image", photo, "ä.jpg") + END
    assert await parse_form(FORM, chunks(body, size), 1) == {"name": "Köper", "image": photo}


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8"])
async def test_utf8_may_be_named(charset: str) -> None:
    body = (
        part("_charset_", b"UTF-8") + part("name", b"x", Content_Type=f"text/plain; charset={charset}") + END
    )
    assert await parse_form(f"{FORM}; charset={charset}", chunks(body), 1) == {"name": "x"}


@pytest.mark.parametrize("charset", ["punycode", "idna", "utf-16", "latin-1", "rot13", "zip", "nonsense"])
@pytest.mark.parametrize("place", ["request", "field", "file", "_charset_"])
async def test_the_client_does_not_choose_the_codec(charset: str, place: str) -> None:
    """punycode took quadratic time and stopped the event loop for 1.8 s with 0.3 MB; idna answered 500."""
    content_type, photo = FORM, b"x" * 300_000
    body = part("name", photo) + END
    if place == "request":
        content_type += f"; charset={charset}"
    elif place == "_charset_":
        body = part("_charset_", charset.encode()) + body
    else:
        filename = "a" if place == "file" else None
        body = part("name", photo, filename, Content_Type=f"text/plain; charset={charset}") + END
    with pytest.raises(InvalidInput, match="UTF-8"):
        await parse_form(content_type, chunks(body), 1)


def fields(count: int, size: int) -> bytes:
    return b"".join(part(f"f{number}", b"x" * size) for number in range(count))


@pytest.mark.parametrize(
    "body",
    [
        part("name", b"\xff\xfe"),
        b"--b\r\nContent-Disposition: form-data; name=\xff\r\n\r\nx\r\n",
        b'--b\r\nContent-Disposition: form-data; name="x"; filename="\xff"\r\n\r\nx\r\n',
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n",
        b"--b\r\n\r\nx\r\n",
        b"no form at all",
        part("image", b"1", "a") + part("image", b"2", "b"),
        part("name", b"x" * (MAX_FIELDS_BYTES + 1)),
        fields(8, MAX_FIELDS_BYTES // 7),
        b"".join(part("n" * 1000, b"") for _ in range(MAX_FIELDS + 1)),
        part("name", b"x", X=MAX_HEADER_BYTES * "x"),
        part("name", b"x", **{f"X{number}": "x" for number in range(9)}),
    ],
    ids=[
        *("value", "name", "file name", "no name", "no header", "no form", "two files", "a long field"),
        *("fields in sum", "many fields", "a long header", "many headers"),
    ],
)
async def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="multipart/form-data"):
        await parse_form(FORM, chunks(body + END), 1)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 300,
        FORM + ";x" * 2000,
    ],
    ids=["none", "empty", "long", "a long header"],
)
async def test_a_boundary_is_needed(content_type: str) -> None:
    with pytest.raises(InvalidInput, match="multipart/form-data"):
        await parse_form(content_type, chunks(END), 1)


async def test_the_rest_of_a_refused_form_is_not_read() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield part("name", b"x" * 2**16)

    with pytest.raises(InvalidInput):
        await parse_form(FORM, endless(), 1)
    assert read <= MAX_FIELDS_BYTES // 2**16 + 1
