"""A photo file to upright sRGB pixels, in little memory.

A file of 200 kB may hold 40 megapixels. A decoder needs 3 or 4 bytes for each; everything after it works on
strips of rows, so that colour, transparency and reduction never need the whole picture a second time.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageCms

from fabric.errors import FabricError, is_out_of_memory, out_of_memory
from fabric.formats import Container, damaged, find_orientation, read_container

MAX_PIXELS = 40_000_000
MIN_SIDE = 64
MAX_ASPECT = 20  # longer by shorter side; beyond it there is no usable square of cloth
WHOLE_PIXELS = 12_500_000  # photos up to this size are reduced by the scan's own, better filters
MAX_JPEG_BYTES = 400_000_000  # of coefficients and pixels together
MAX_AVIF_BYTES = 380_000_000  # of the picture in its own colours and in RGB

_LIMIT = f"{MAX_PIXELS // 1_000_000} megapixels"
_STRIP_PIXELS = 1 << 20
_SRGB = ImageCms.createProfile("sRGB")
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: cv2.transpose,
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


@dataclass(frozen=True)
class _Picture:
    """Decoded pixels in the file's own colours.

    rows: (first, last) to an image of those rows. orientation: EXIF's. profile: ICC.
    """

    width: int
    height: int
    rows: Callable[[int, int], Image.Image]
    profile: bytes | None
    orientation: int


def decode(photo: bytes, side: int) -> np.ndarray:
    """The photo upright, in sRGB, without transparency: (H, W, 3) uint8 RGB.

    A JPEG is decoded at the smallest of 1/1, 1/2, 1/4 or 1/8 of its size (scaled DCT, as libjpeg
    offers) that keeps its shorter side at or above `side` pixels. Other formats are reduced by the same
    rule, after decoding and only above `WHOLE_PIXELS`. A photo of `MAX_PIXELS` needs
    at most 400 MB.

    Raises FabricError: IMAGE_DECODE for other formats and damaged files, TOO_LARGE above `MAX_PIXELS`
    (by the header, before any pixel is decoded) and where memory does not suffice, INVALID_INPUT below
    `MIN_SIDE` pixels or above `MAX_ASPECT`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes that are checked here, and of odd EXIF
            picture = _open(read_container(photo), side)
            large = picture.width * picture.height > WHOLE_PIXELS
            factor = _power(min(picture.width, picture.height) / side) if large else 1
            pixels, orientation = _rgb(picture, factor), picture.orientation
            del picture  # before the turned copy is made
            return _TURNS[orientation](pixels) if orientation in _TURNS else pixels
    except FabricError:
        raise
    except Image.DecompressionBombError as error:
        raise FabricError("TOO_LARGE", f"the photo has too many pixels; send at most {_LIMIT}") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ValueError and more
        raise out_of_memory() if is_out_of_memory(error) else damaged(str(error)) from error


def _open(container: Container, side: int) -> _Picture:
    """Decode the pixels. Raises FabricError for sizes that are refused, and whatever decoders raise."""
    if container.size:
        return _open_webp(container, container.size)
    image = Image.open(io.BytesIO(container.data), formats=[container.format])
    _check_size(*image.size)
    if container.memory * image.width * image.height > MAX_AVIF_BYTES:
        limit = MAX_AVIF_BYTES / container.memory / 1e6
        raise FabricError(
            "TOO_LARGE", f"an AVIF with this depth and colours may have {limit:.0f} megapixels; send a JPEG"
        )
    if image.format == "JPEG":
        shrink = max(min(image.size) / side, _affordable(image, container.scans))
        if shrink >= 2:
            image.draft("RGB", (int(image.width / shrink), int(image.height / shrink)))
    image.load()
    profile, orientation = container.profile, container.orientation
    if image.format == "AVIF":
        profile = image.info.get("icc_profile")
        orientation = find_orientation(image.info.get("exif", b""))
        image.__dict__.pop("_decoder", None)  # it keeps the picture in its own colours
    width, height = image.size
    return _Picture(width, height, lambda top, end: image.crop((0, top, width, end)), profile, orientation)


def _open_webp(container: Container, size: tuple[int, int]) -> _Picture:
    """By OpenCV: Pillow's decoder is one for animations, which holds the picture four times."""
    _check_size(*size)
    pixels = cv2.imdecode(np.frombuffer(container.data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[1::-1] != size:
        raise damaged("its WebP data is broken")
    colours = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB

    def rows(top: int, end: int) -> Image.Image:
        return Image.fromarray(cv2.cvtColor(pixels[top:end], colours))

    return _Picture(*size, rows, container.profile, container.orientation)


def _affordable(image: Image.Image, scans: int) -> int:
    """The scale 1/n of a JPEG at which coefficients and pixels fit into `MAX_JPEG_BYTES`.

    Several scans, as in a progressive JPEG, keep all coefficients in memory, 2 bytes each, at any scale.
    """
    pixels, bands = image.width * image.height, len(image.getbands())
    coefficients = 2 * bands * pixels if scans > 1 else 0
    scale = 1
    while scale < 8 and coefficients + 4 * pixels / scale**2 > MAX_JPEG_BYTES:
        scale *= 2
    return scale


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise FabricError(
            "TOO_LARGE", f"the photo has {width * height / 1e6:.0f} megapixels; send at most {_LIMIT}"
        )
    if min(width, height) < MIN_SIDE:
        raise FabricError(
            "INVALID_INPUT", f"the photo is {width}×{height} pixels; send at least {MIN_SIDE} on each side"
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise FabricError(
            "INVALID_INPUT",
            f"the photo is {width}×{height} pixels, which is too narrow; its longer side may be at most "
            f"{MAX_ASPECT} times the shorter",
        )


def _power(ratio: float) -> int:
    """The largest power of two up to `ratio`, at least 1."""
    return 1 << max(0, int(ratio).bit_length() - 1)


def _rgb(picture: _Picture, factor: int) -> np.ndarray:
    """The picture as opaque sRGB at 1/`factor` of its size, in uint8 from beginning to end."""
    width, height = picture.width // factor, picture.height // factor
    pixels = np.empty((height, width, 3), np.uint8)
    to_srgb = _Colours(picture.profile)
    step = max(1, _STRIP_PIXELS // (picture.width * factor))
    for top in range(0, height, step):
        end = min(height, top + step)
        strip = np.asarray(to_srgb(picture.rows(top * factor, end * factor)))[:, : width * factor]
        if factor > 1:
            cv2.resize(strip, (width, end - top), dst=pixels[top:end], interpolation=cv2.INTER_AREA)
        else:
            pixels[top:end] = strip
    return pixels


class _Colours:
    """Any mode of Pillow's to opaque sRGB.

    Phones write Display P3, whose numbers look dull when they are taken for sRGB.
    """

    def __init__(self, profile: bytes | None) -> None:
        self._profile = profile
        self._transform: ImageCms.ImageCmsTransform | None = None

    def __call__(self, image: Image.Image) -> Image.Image:
        if image.mode.startswith("I;16"):  # Pillow would clip it at 255 instead of scaling it
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image).convert("RGB")
        if self._profile and image.mode in ("RGB", "L", "CMYK"):
            try:
                self._transform = self._transform or ImageCms.buildTransform(
                    ImageCms.ImageCmsProfile(io.BytesIO(self._profile)), _SRGB, image.mode, "RGB"
                )
                return ImageCms.applyTransform(image, self._transform)  # type: ignore[return-value]
            except (ImageCms.PyCMSError, OSError):
                self._profile = None  # broken, or of another colour space: the pixels are still a photo
        return image if image.mode == "RGB" else image.convert("RGB")
