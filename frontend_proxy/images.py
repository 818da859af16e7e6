"""Compressed images as clients send them: base64 and data URIs, and the limits on their size."""

import base64
from typing import Any

from pydantic_core import CoreConfig, SchemaValidator, core_schema

from frontend_proxy.errors import ImageTooLarge, UndecodableImage
from frontend_proxy.image_headers import FORMATS, ImageHeader, InvalidHeader, read_image_header

MAX_SIDE = 32_766  # pixels; OpenCV's remap and warpAffine need less than 32,767

# pydantic's decoder takes a quarter of the time of binascii, which was most of a keyframe's in the proxy.
_BASE64 = SchemaValidator(core_schema.bytes_schema(), CoreConfig(val_json_bytes="base64"))

# Bytes that are decoded or encoded in one call, in a millisecond or two: between two calls of a thread, the
# event loop can run. A multiple of 3 and of 4, so that pieces of text and of bytes have the same boundaries.
_PIECE = 3 * 2**18
_BLANKS = b" \r\n\t"


def from_base64(text: str) -> bytes:
    """The bytes of a `data:…;base64,` URI or of bare base64, padded or not, with or without line breaks.

    Raises ValueError for anything else.
    """
    if text.startswith("data:"):
        prefix, comma, text = text.partition(",")
        if not comma or not prefix.endswith(";base64"):
            raise ValueError("a data URI must begin with 'data:<media type>;base64,'")
    if any(chr(blank) in text for blank in _BLANKS):
        text = _without_blanks(text)
    text += "=" * (-len(text) % 4)
    try:
        return b"".join([_decoded(text[start : start + _PIECE]) for start in range(0, len(text), _PIECE)])
    except ValueError as error:
        raise ValueError("not base64") from error


def _without_blanks(text: str) -> str:
    """In pieces; `"".join(text.split())` makes one string for each line, of which there may be millions."""
    try:
        pieces = (text[start : start + _PIECE].encode("ascii") for start in range(0, len(text), _PIECE))
        return b"".join([piece.translate(None, _BLANKS) for piece in pieces]).decode("ascii")
    except UnicodeEncodeError as error:
        raise ValueError("not base64") from error


def _decoded(piece: Any) -> bytes:
    return bytes(_BASE64.validate_strings(piece))  # accepts str, although its stub says dict


def to_data_uri(data: bytes, media_type: str) -> str:
    """RFC 2397, in base64."""
    pieces = (base64.b64encode(data[start : start + _PIECE]) for start in range(0, len(data), _PIECE))
    return f"data:{media_type};base64,{b''.join(pieces).decode('ascii')}"


def read_header(data: bytes, name: str, max_bytes: int, max_pixels: int) -> ImageHeader:
    """Check an image by its header, before anything spends time on it; `name` is the field's, for messages.

    Raises UndecodableImage if it is none of `FORMATS`, ImageTooLarge above `max_bytes`, `max_pixels` or
    `MAX_SIDE`.
    """
    if len(data) > max_bytes:
        raise ImageTooLarge(f"{name} has {len(data)} bytes; send at most {max_bytes}")
    try:
        header = read_image_header(data)
    except InvalidHeader as error:
        raise UndecodableImage(f"{name} is not a readable {', '.join(FORMATS)} image: {error}") from error
    if header.width * header.height > max_pixels:
        raise ImageTooLarge(
            f"{name} is {header.width}×{header.height}; send at most {max_pixels / 1e6:.0f} megapixels"
        )
    if max(header.width, header.height) > MAX_SIDE:
        raise ImageTooLarge(
            f"{name} is {header.width}×{header.height}; send at most {MAX_SIDE} pixels on each side"
        )
    return header
