"""Pictures as text: base64 and data URIs (RFC 2397), also as forms, URLs and shells change them."""

import base64
import contextlib
import re
from typing import Any
from urllib.parse import unquote

from pydantic_core import CoreConfig, SchemaValidator, core_schema

# pydantic's decoder takes a quarter of the time of binascii, which was most of a keyframe's in the proxy.
_BASE64 = SchemaValidator(core_schema.bytes_schema(), CoreConfig(val_json_bytes="base64"))

# Bytes that are decoded or encoded in one call, in a millisecond or two: between two calls of a thread, the
# event loop can run. A multiple of 3 and of 4, so that pieces of text and of bytes have the same boundaries.
_PIECE = 3 * 2**18

_MAX_PREFIX = 512  # characters of a data URI before its comma, and of an address that is searched for
# What stands around the parameters is taken off afterwards: expressions side by side that all match blanks
# take time to the third power of their number.
_PREFIX = re.compile(r"(?:data:)?(?P<parameters>[^,]*),", re.IGNORECASE)
_BEFORE_PARAMETERS = re.compile(r"[\s/]*")
_PARAMETERS = re.compile(r"(?:[a-z]+/[a-z0-9.+-]+)?\s*(?:;[^,]*)?|base64", re.IGNORECASE)
_ESCAPED_PREFIX = re.compile(r"(?:data|image)?(?::|%3a|%253a|/|%2f|%252f)", re.IGNORECASE)
_COMMA = re.compile(r",|%2c|%252c", re.IGNORECASE)
_ADDRESS = re.compile(r"(?!data:)([a-z][a-z0-9+.-]+):", re.IGNORECASE)
_FILE_NAME = re.compile(r"[^\n]*\.(jpe?g|jfif|png|webp|gif|bmp|heic|heif|avif|tiff?|svg)", re.IGNORECASE)
_OBJECT = re.compile(r"\[object (\w+)\]")
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/]")

_NO_DATA_URI = "a data URI must begin with 'data:<media type>;base64,'"

# What text around base64 becomes where somebody prints, quotes or copies it.
_OUTSIDE = " \t\r\n\v\f\0\ufeff\u200b\u00a0"
_QUOTES = "\"'`"

# Escapes of base64's characters and of line breaks: in URLs (also twice), in HTML, in JSON inside of JSON.
_ESCAPES = [
    *((b"%25", b"%"), (b"%2B", b"+"), (b"%2b", b"+"), (b"%2F", b"/"), (b"%2f", b"/")),
    *((b"%3D", b"="), (b"%3d", b"="), (b"%20", b" "), (b"%0A", b"\n"), (b"%0a", b"\n")),
    *((b"%0D", b""), (b"%0d", b""), (b"%2D", b"-"), (b"%2d", b"-"), (b"%5F", b"_"), (b"%5f", b"_")),
    *((b"&#43;", b"+"), (b"&#x2B;", b"+"), (b"&#x2b;", b"+"), (b"&plus;", b"+")),
    *((b"&#47;", b"/"), (b"&#x2F;", b"/"), (b"&#x2f;", b"/"), (b"&sol;", b"/")),
    *((b"&#61;", b"="), (b"&#x3D;", b"="), (b"&#x3d;", b"="), (b"&equals;", b"=")),
    *((b"\\u002b", b"+"), (b"\\u002B", b"+"), (b"\\u002f", b"/"), (b"\\u002F", b"/")),
    *((b"\\u003d", b"="), (b"\\u003D", b"="), (b"\\/", b"/"), (b"\\n", b"\n"), (b"\\r", b"")),
]
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def from_base64(text: str) -> bytes:
    """The bytes of a `data:…;base64,` URI or of bare base64.

    It may have lost its padding, and may have gained blanks, line breaks, quotes, percent signs and other
    escapes. Its alphabet may be that of URLs, and each `+` may have become a blank.

    Raises ValueError, which says what the text is instead where that can be told.
    """
    content = _without_prefix(text)
    with contextlib.suppress(ValueError):
        return _decoded(content)
    return _decoded(_repaired(content))


def to_data_uri(data: bytes, media_type: str) -> str:
    """RFC 2397, in base64."""
    pieces = (base64.b64encode(data[start : start + _PIECE]) for start in range(0, len(data), _PIECE))
    return f"data:{media_type};base64,{b''.join(pieces).decode('ascii')}"


def _without_prefix(text: str) -> str:
    """The base64 of a data URI."""
    text = text.strip(_OUTSIDE)
    if text[:1] in _QUOTES or text[:2] in ("b'", 'b"'):  # JavaScript's and Python's way to print a string
        text = text.removeprefix("b").strip(_QUOTES + _OUTSIDE)
    for _ in range(2):  # some clients put a prefix before a data URI
        start = text[:_MAX_PREFIX]
        if _ESCAPED_PREFIX.match(start) and "%" in start and (comma := _COMMA.search(start)):
            start = unquote(unquote(start[: comma.end()]))
            text, start = start + text[comma.end() :], start
        prefix = _PREFIX.match(start)
        parameters = "" if prefix is None else _BEFORE_PARAMETERS.sub("", prefix["parameters"], 1).rstrip()
        if prefix is None or not _PARAMETERS.fullmatch(parameters):
            break
        if "base64" not in parameters.lower():
            empty = "" if text[prefix.end() :] else "; this one is empty, like an empty canvas has it"
            raise ValueError(_NO_DATA_URI + empty)
        text = text[prefix.end() :]
    _refuse_addresses(text)
    return text


def _refuse_addresses(text: str) -> None:
    """Raises ValueError for what points to a picture: neither `:` nor `.` is a character of base64."""
    start = unquote(text[:_MAX_PREFIX])
    if kind := _OBJECT.match(start):
        raise ValueError(
            f"this is the text [object {kind[1]}]; send the picture, as canvas.toDataURL() has it, or a file"
        )
    if start.lower().startswith("data:"):
        raise ValueError(_NO_DATA_URI)
    if address := _ADDRESS.match(start):
        raise ValueError(
            f"this is a {address[1].lower()}: address, and the server fetches none; send the picture itself, "
            "as a data URI, as base64, or as a file in a form"
        )
    if len(text) < _MAX_PREFIX and _FILE_NAME.fullmatch(text):
        raise ValueError(
            "this is the name of a file; send its content, as a data URI, as base64, or as a file in a form"
        )


def _decoded(text: str) -> bytes:
    text += "=" * (-len(text) % 4)
    try:
        return b"".join([_piece(text[start : start + _PIECE]) for start in range(0, len(text), _PIECE)])
    except ValueError as error:
        raise ValueError("not base64") from error


def _piece(text: Any) -> bytes:
    return bytes(_BASE64.validate_strings(text))  # accepts str, although its stub says dict


def _repaired(text: str) -> str:
    """Base64 in its own alphabet. Raises ValueError that names the first character that is none of it.

    Works on the whole text, since a list of its lines or of its escapes may have millions of items.
    """
    try:
        data = text.encode("ascii")
    except UnicodeEncodeError as error:
        raise ValueError(f"not base64: character {error.start + 1} is {text[error.start]!r}") from None
    for escape, character in _ESCAPES:
        if escape[:1] in data:
            data = data.replace(escape, character)
    data = data.translate(None, b"\r\t\v\f\0").strip()
    if b" " in data:
        data = _without_blanks(data)
    data = data.translate(_URL_SAFE, b"\n").rstrip(b"=")
    if foreign := _FOREIGN.search(data):
        raise ValueError(f"not base64: it has the character {foreign[0].decode()!r}")
    if len(data) % 4 == 1:
        raise ValueError("not base64: it is cut off, or it has a character too many")
    return _without_spare_bits(data).decode("ascii")


def _without_blanks(data: bytes) -> bytes:
    """A blank is a `+` that went through a form's decoding, or it indents or breaks lines."""
    if data.count(b"\n") == data.count(b"\n "):  # each line is indented
        for width in (32, 16, 8, 4, 2, 1):
            data = data.replace(b"\n" + b" " * width, b"\n")
    data = data.replace(b"\n", b"")
    return data.replace(b" ", b"" if b"+" in data or _breaks_lines(data) else b"+")


def _breaks_lines(data: bytes) -> bool:
    """Whether the blanks stand where line breaks were. With its padding, base64 is a multiple of 4 long."""
    blanks = data.count(b" ")
    if not blanks:
        return True
    whole, whole_without = len(data) % 4 == 0, (len(data) - blanks) % 4 == 0
    line = data.find(b" ")
    if blanks == len(data) // (line + 1) == data[line :: line + 1].count(b" "):
        return whole_without or not whole
    return whole_without and not whole and data.endswith(b"=")


def _without_spare_bits(data: bytes) -> bytes:
    """The last character may have bits that belong to no byte; the decoder wants zeros there."""
    spare = {2: 4, 3: 2}.get(len(data) % 4)
    if spare is None:
        return data
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    value = alphabet.index(data[-1]) >> spare << spare
    return data[:-1] + alphabet[value : value + 1]
