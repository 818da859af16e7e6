"""A photo file to upright sRGB pixels, in little memory.

A file of 200 kB may hold 50 megapixels. A decoder needs 3 or 4 bytes for each; everything after it works on
strips of rows, so that colour, transparency and reduction never need the whole picture a second time.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from fabric.errors import FabricError, is_out_of_memory, out_of_memory
from fabric.formats import Container, damaged, find_orientation, read_container
from fabric.jpeg_pixels import jpeg_pixels

MAX_PIXELS = 50_000_000  # phones have 48 million
MIN_SIDE = 64  # a smaller photo is enlarged to it
MAX_ASPECT = 20  # longer by shorter side; what is beyond it is cut off
WHOLE_PIXELS = 12_500_000  # photos up to this size are reduced by the scan's own, better filters
MAX_JPEG_BYTES = 400_000_000  # of coefficients and pixels together
MAX_BOXED_BYTES = 450_000_000  # of an AVIF's or HEIC's picture in its own colours and in RGB

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

    rows: (first, last) to an image of those rows. orientation: EXIF's. profile: ICC. pixels: all of it as
    RGB, where the decoder gave an array.
    """

    width: int
    height: int
    rows: Callable[[int, int], Image.Image]
    profile: bytes | None
    orientation: int
    pixels: np.ndarray | None = None


def decode(photo: bytes, side: int, area: np.ndarray | None = None) -> np.ndarray:
    """The photo upright, in sRGB: (H, W, 3) uint8 RGB, or (H, W, 4) where some of it is transparent.

    A JPEG is decoded at the smallest of 1/1, 1/2, 1/4 or 1/8 of its size (scaled DCT, as libjpeg
    offers) that keeps its shorter side at or above `side` pixels. Other formats are reduced by the same
    rule, after decoding and only above `WHOLE_PIXELS`. A photo of `MAX_PIXELS` needs
    at most 450 MB. One with less than `MIN_SIDE` pixels is enlarged, and of a strip longer than
    `MAX_ASPECT` its middle is taken. area: points (N, 2) as fractions of its width and height; what is not
    among them may be black.

    Raises FabricError: IMAGE_DECODE for other formats and damaged files, TOO_LARGE above `MAX_PIXELS`
    (by the header, before any pixel is decoded) and where memory does not suffice.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes that are checked here, and of odd EXIF
            picture = _open(read_container(photo), side, area)
            large = picture.width * picture.height > WHOLE_PIXELS
            factor = _power(min(picture.width, picture.height) / side) if large else 1
            pixels, orientation = _usable(_rgb(picture, factor)), picture.orientation
            del picture  # before the turned copy is made
            return upright(pixels, orientation)
    except FabricError:
        raise
    except Image.DecompressionBombError as error:
        raise FabricError("TOO_LARGE", f"the photo has too many pixels; send at most {_LIMIT}") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ValueError and more
        raise out_of_memory() if is_out_of_memory(error) else damaged(str(error)) from error


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (H, W, C) that lie as EXIF's orientation says, 1 to 8, turned upright."""
    return _TURNS[orientation](pixels) if orientation in _TURNS else pixels


def rows_down_to(area: np.ndarray, orientation: int) -> float:
    """The share of a file's rows, from the first, in which points (N, 2) of the upright photo lie.

    area: in fractions of its width and height. orientation: EXIF's, as the file lies.
    """
    along = area[:, 1 if orientation < 5 else 0]  # from 5 on rows and columns change places
    return float(1 - along.min() if orientation in (3, 4, 6, 7) else along.max())


def focal_length(photo: bytes) -> float | None:
    """The camera's focal length in mm as on 35 mm film, if the file tells it. Raises FabricError."""
    return read_container(photo).focal_35


def exposure(photo: bytes) -> float | None:
    """How much light the photo was exposed to, if the file tells it, up to a factor. Raises FabricError."""
    return read_container(photo).exposure


def _open(container: Container, side: int, area: np.ndarray | None) -> _Picture:
    """Decode the pixels. Raises FabricError for sizes that are refused, and whatever decoders raise."""
    if container.size:
        return _open_webp(container, container.size)
    if container.format == "HEIF":
        return _open_heic(container)
    image = Image.open(io.BytesIO(container.data), formats=[container.format])
    _check_size(*image.size)
    _check_memory(container, *image.size)
    if image.format == "JPEG":
        shrink = max(min(image.size) / side, _affordable(image, container.scans))
        if max(image.size) > MAX_ASPECT * min(image.size):
            area = None  # in fractions of what will be left of it
        if image.mode == "RGB" and (opened := _open_jpeg(container, min(8, _power(shrink)), area)):
            return opened
        if shrink >= 2:
            image.draft("RGB", (int(image.width / shrink), int(image.height / shrink)))
    image.load()
    whole: Image.Image = image
    if image.mode == "F" and np.asarray(image).max() <= 1:  # fractions, which Pillow would make black
        whole = image.point(lambda value: value * 255)
    profile, orientation = container.profile, container.orientation
    if image.format == "AVIF":
        profile = image.info.get("icc_profile")
        orientation = find_orientation(image.info.get("exif", b""))
        image.__dict__.pop("_decoder", None)  # it keeps the picture in its own colours
    width, height = image.size
    return _Picture(width, height, lambda top, end: whole.crop((0, top, width, end)), profile, orientation)


def _open_jpeg(container: Container, scale: int, area: np.ndarray | None) -> _Picture | None:
    """At 1/`scale`, without Pillow, which packs four bytes of a pixel into three afterwards; None if damaged.

    That takes half of the time of decoding.
    """
    share = 1.0 if area is None else rows_down_to(area, container.orientation)
    pixels = jpeg_pixels(container.data, scale, share)
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    return _Picture(
        width, height, lambda top, end: Image.fromarray(pixels[top:end]), container.profile,
        container.orientation, pixels,
    )  # fmt: skip


def _open_heic(container: Container) -> _Picture:
    """By libheif, which also turns the picture upright, as the file's boxes say."""
    file = pillow_heif.open_heif(io.BytesIO(container.data))
    image = file[file.primary_index]
    _check_size(*image.size)
    _check_memory(container, *image.size)
    data, (width, height), mode, stride = image.data, image.size, image.mode, image.stride

    def rows(top: int, end: int) -> Image.Image:
        strip = data[top * stride : end * stride]
        return Image.frombuffer(mode, (width, end - top), strip, "raw", mode, stride, 1)

    profile = image.info.get("icc_profile")
    return _Picture(width, height, rows, profile if isinstance(profile, bytes) else None, 1)


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


def _check_memory(container: Container, width: int, height: int) -> None:
    if container.memory * width * height > MAX_BOXED_BYTES:
        limit = MAX_BOXED_BYTES / container.memory / 1e6
        name = "HEIC" if container.format == "HEIF" else container.format
        message = f"{name} files with this depth and colours may have {limit:.0f} megapixels; send a JPEG"
        raise FabricError("TOO_LARGE", message)


def _power(ratio: float) -> int:
    """The largest power of two up to `ratio`, at least 1."""
    return 1 << max(0, int(ratio).bit_length() - 1)


def _usable(pixels: np.ndarray) -> np.ndarray:
    """The middle of a strip that is too long, and at least `MIN_SIDE` pixels on each side."""
    height, width = pixels.shape[:2]
    longest = MAX_ASPECT * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    pixels = pixels[top : top + longest, left : left + longest]
    height, width = pixels.shape[:2]
    factor = MIN_SIDE / min(height, width)
    if factor <= 1:
        return pixels
    size = (round(width * factor), round(height * factor))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)


def _rgb(picture: _Picture, factor: int) -> np.ndarray:
    """The picture as sRGB at 1/`factor` of its size, in uint8 from beginning to end."""
    if picture.pixels is not None and factor == 1 and not picture.profile:
        return picture.pixels
    width, height = max(1, picture.width // factor), max(1, picture.height // factor)
    bands = 4 if _is_transparent(picture.rows(0, 1)) else 3
    pixels = np.empty((height, width, bands), np.uint8)
    to_srgb = _Colours(picture.profile)
    step = max(1, _STRIP_PIXELS // (picture.width * factor))
    for top in range(0, height, step):
        end = min(height, top + step)
        strip = to_srgb(picture.rows(top * factor, end * factor))[:, : width * factor]
        if factor > 1:
            cv2.resize(strip, (width, end - top), dst=pixels[top:end], interpolation=cv2.INTER_AREA)
        else:
            pixels[top:end] = strip
    if bands == 4 and pixels[..., 3].min() == 255:
        return np.ascontiguousarray(pixels[..., :3])
    return pixels


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info


class _Colours:
    """Any mode of Pillow's to sRGB, with its transparency if it has one: (H, W, 3 or 4) uint8.

    Phones write Display P3, whose numbers look dull when they are taken for sRGB.
    """

    def __init__(self, profile: bytes | None) -> None:
        self._profile = profile
        self._transform: ImageCms.ImageCmsTransform | None = None

    def __call__(self, image: Image.Image) -> np.ndarray:
        if image.mode.startswith("I;16"):  # Pillow would clip it at 255 instead of scaling it
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if not _is_transparent(image):
            return np.asarray(self._srgb(image))
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
        return np.dstack([np.asarray(self._srgb(image.convert("RGB"))), alpha])

    def _srgb(self, image: Image.Image) -> Image.Image:
        if self._profile and image.mode in ("RGB", "L", "CMYK"):
            try:
                self._transform = self._transform or ImageCms.buildTransform(
                    ImageCms.ImageCmsProfile(io.BytesIO(self._profile)), _SRGB, image.mode, "RGB"
                )
                return ImageCms.applyTransform(image, self._transform)  # type: ignore[return-value]
            except (ImageCms.PyCMSError, OSError):
                self._profile = None  # broken, or of another colour space: the pixels are still a photo
        return image if image.mode == "RGB" else image.convert("RGB")
