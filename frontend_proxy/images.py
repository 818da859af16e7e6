"""The limits on compressed images that clients send."""

from frontend_proxy.errors import ImageTooLarge, UndecodableImage
from frontend_proxy.image_headers import FORMATS, ImageHeader, InvalidHeader, read_image_header

MAX_SIDE = 32_766  # pixels; OpenCV's remap and warpAffine need less than 32,767


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
