"""Compressed images as they travel: base64 and data URIs, and what a header tells. No pixel is decoded."""

import base64
import io
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image
from pydantic_core import CoreConfig, SchemaValidator, core_schema

from frontend_proxy.errors import ImageTooLarge, UndecodableImage

FORMATS = ("JPEG", "PNG", "WEBP")

# pydantic's decoder takes a quarter of binascii's time, which was most of a keyframe's in the proxy.
_BASE64 = SchemaValidator(core_schema.bytes_schema(), CoreConfig(val_json_bytes="base64"))

# Bytes that are decoded or encoded at once, in a millisecond or two: in a thread, the event loop has its turn
# after each. A multiple of 3 and of 4, so that the text's pieces are those of the bytes.
_PIECE = 3 * 2**18


@dataclass(frozen=True)
class ImageHeader:
    """What an image says of itself. `format` is one of `FORMATS`; width and height are in pixels."""

    format: str
    width: int
    height: int


def from_base64(text: str) -> bytes:
    """The bytes of a `data:…;base64,` URI or of bare base64, padded or not, with or without line breaks.

    Raises ValueError for anything else.
    """
    if text.startswith("data:"):
        prefix, comma, text = text.partition(",")
        if not comma or not prefix.endswith(";base64"):
            raise ValueError("a data URI must begin with 'data:<media type>;base64,'")
    if any(blank in text for blank in " \r\n\t"):
        text = "".join(text.split())
    text += "=" * (-len(text) % 4)
    try:
        return b"".join([_decoded(text[start : start + _PIECE]) for start in range(0, len(text), _PIECE)])
    except ValueError as error:
        raise ValueError("not base64") from error


def _decoded(piece: Any) -> bytes:
    return bytes(_BASE64.validate_strings(piece))  # it takes str, and its stub only dict


def to_data_uri(data: bytes, media_type: str) -> str:
    """RFC 2397, in base64."""
    pieces = (base64.b64encode(data[start : start + _PIECE]) for start in range(0, len(data), _PIECE))
    return f"data:{media_type};base64,{b''.join(pieces).decode('ascii')}"


def read_header(data: bytes, name: str, max_bytes: int, max_pixels: int) -> ImageHeader:
    """Check an image by its header before anything spends time on it; `name` is the field's, for messages.

    Raises UndecodableImage if it is none of `FORMATS`, ImageTooLarge above `max_bytes` or `max_pixels`.
    """
    if len(data) > max_bytes:
        raise ImageTooLarge(f"{name} has {len(data)} bytes; send at most {max_bytes}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb warning; the limit below is ours
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageTooLarge(f"{name} has too many pixels; send at most {max_pixels}") from error
    except Exception as error:  # broken headers raise OSError, SyntaxError, struct.error, ValueError, …
        raise UndecodableImage(f"{name} is not a readable {', '.join(FORMATS)} image") from error
    if image.width * image.height > max_pixels:
        raise ImageTooLarge(
            f"{name} is {image.width}×{image.height}; send at most {max_pixels / 1e6:.0f} megapixels"
        )
    return ImageHeader(image.format or "", image.width, image.height)
