from collections.abc import AsyncIterator

import pytest

from frontend_proxy.errors import InvalidInput
from frontend_proxy.schemas import Capture, ScanRequest
from frontend_proxy.web.form import (
    MAX_HEADER_BYTES,
    MAX_PARTS,
    MAX_TEXT_BYTES,
    FormFields,
    parse_multipart,
    parse_url_encoded,
)

FORM = "multipart/form-data; boundary=b"
FIELDS = FormFields.of(ScanRequest)
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
    assert await parse_multipart(FORM, chunks(body, size), FIELDS) == {"name": "Köper", "image": photo}


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8"])
async def test_utf8_may_be_named(charset: str) -> None:
    body = (
        part("_charset_", b"UTF-8") + part("name", b"x", Content_Type=f"text/plain; charset={charset}") + END
    )
    assert await parse_multipart(f"{FORM}; charset={charset}", chunks(body), FIELDS) == {"name": "x"}


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
        await parse_multipart(content_type, chunks(body), FIELDS)


@pytest.mark.parametrize(
    "body",
    [
        part("name", b"\xff\xfe"),
        b"--b\r\nContent-Disposition: form-data; name=\xff\r\n\r\nx\r\n",
        b'--b\r\nContent-Disposition: form-data; name="x"; filename="\xff"\r\n\r\nx\r\n',
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n",
        b"--b\r\n\r\nx\r\n",
        b"no form at all",
        part("name", b"x" * (MAX_TEXT_BYTES + 1)),
        b"".join(part("name", b"x" * (MAX_TEXT_BYTES // 7)) for _ in range(8)),
        b"".join(part("n" * 1000, b"") for _ in range(MAX_PARTS + 1)),
        part("name", b"x", X=MAX_HEADER_BYTES * "x"),
        part("name", b"x", **{f"X{number}": "x" for number in range(9)}),
    ],
    ids=[
        *("value", "name", "file name", "no name", "no header", "no form", "a long field"),
        *("fields in sum", "many fields", "a long header", "many headers"),
    ],
)
async def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="multipart/form-data"):
        await parse_multipart(FORM, chunks(body + END), FIELDS)


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
        await parse_multipart(content_type, chunks(END), FIELDS)


async def test_the_rest_of_a_refused_form_is_not_read() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield part("name", b"x" * 2**16)

    with pytest.raises(InvalidInput):
        await parse_multipart(FORM, endless(), FIELDS)
    assert read <= MAX_TEXT_BYTES // 2**16 + 1


LEFT_OUT = [b"", b" ", b"null", b"undefined", b"None", b"NULL", b"NaN", b" null\r\n"]


@pytest.mark.parametrize("text", LEFT_OUT)
@pytest.mark.parametrize("filename", [None, "blob"])
async def test_the_words_for_nothing_are_fields_left_out(text: bytes, filename: str | None) -> None:
    """Swagger UI sends a null default as `null`, and JavaScript's FormData writes `undefined`."""
    body = part("size", text, filename) + part("image", text, filename) + part("name", b"Nullarbor") + END
    assert await parse_multipart(FORM, chunks(body), FIELDS) == {"name": "Nullarbor"}
    pairs = b"size=" + text.replace(b" ", b"+") + b"&image=" + text + b"&name=Nullarbor"
    assert parse_url_encoded(pairs, FIELDS) == {"name": "Nullarbor"}


def test_the_fields_of_bytes_are_images() -> None:
    images = FormFields.of(Capture).images
    assert {"user_image", "jacket_render", "garment_image", "mask"} == {it for it in images if "." not in it}
    assert {"garments.0.jacket_render", "garments.3.garment_image"} < images
    assert FIELDS.images == {"image", "image_flash"}
    assert FIELDS.needed == {"image"}
    assert {"name", "size", "corners", "save"} <= FIELDS.texts


async def test_an_image_s_text_may_be_larger_than_all_others_together() -> None:
    """Not larger than the body: the caller bounds that."""
    uri = b"data:image/jpeg;base64," + b"A" * (2 * MAX_TEXT_BYTES)
    body = part("image", uri) + part("size", b"512") + END
    assert await parse_multipart(FORM, chunks(body), FIELDS) == {"image": uri.decode(), "size": "512"}
    assert parse_url_encoded(b"size=512&image=" + uri, FIELDS) == {"image": uri.decode(), "size": "512"}
    assert await parse_multipart(FORM, chunks(part("image", uri, "it.txt") + END), FIELDS) == {
        "image": uri.decode()
    }


async def test_an_image_without_a_file_name_and_a_text_with_one() -> None:
    """`curl -F "image=<photo.jpg"`, and a Blob of JSON, which JavaScript calls `blob`."""
    body = part("image", b"\xff\xd8\xff\xe0") + part("corners", b"[[0, 0]]", "blob") + END
    expected = {"image": b"\xff\xd8\xff\xe0", "corners": "[[0, 0]]"}
    assert await parse_multipart(FORM, chunks(body), FIELDS) == expected


async def test_unknown_parts_are_skipped_as_in_json() -> None:
    body = part("mask", b"\xff" * (2 * MAX_TEXT_BYTES), "mask.png") + part("q", b"\xff") + END
    assert await parse_multipart(FORM, chunks(body), FIELDS) == {}
    assert parse_url_encoded(b"q=%ff&token=" + b"x" * 1000, FIELDS) == {}


def test_url_encoded_texts_are_decoded_and_images_are_left_to_their_own_reader() -> None:
    form = parse_url_encoded(b"name=K%C3%B6per+1&image=data%3Aimage/png;base64,a+b%2Bc&save=on", FIELDS)
    assert form == {"name": "Köper 1", "image": "data%3Aimage/png;base64,a+b%2Bc", "save": "on"}


@pytest.mark.parametrize(
    "body",
    [b"name=" + b"x" * (MAX_TEXT_BYTES + 1), b"&" * MAX_PARTS, b"name=%ff", b"x" * (MAX_TEXT_BYTES + 1)],
    ids=["a long text", "many fields", "no UTF-8", "a long name"],
)
def test_a_url_encoded_body_has_limits(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="x-www-form-urlencoded"):
        parse_url_encoded(body, FIELDS)
