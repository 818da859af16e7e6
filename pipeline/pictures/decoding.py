"""Compressed pictures to arrays of 8 bits, upright, in sRGB.

A JPEG, PNG or WebP without a profile, transparency and orientation is what OpenCV makes of it. Of JPEGs
libjpeg-turbo makes the same, bit for bit, in a third of the time; OpenCV takes those that have errors, too.
"""

import io
import warnings
from contextlib import suppress
from functools import cache

import cv2
import numpy as np
import simplejpeg
from PIL import Image, ImageCms

from pipeline.pictures.boxes import InvalidBoxes, read_colour_points, without_metadata
from pipeline.pictures.colour import cicp_profile, convert_to_srgb, strips_of, transform_to_srgb
from pipeline.pictures.metadata import Metadata, read_metadata
from pipeline.pictures.orientation import upright

FORMATS = "JPEG, PNG, WebP, AVIF or HEIC"
NO_HEIC = (
    "it is HEIC, which this server cannot read; send a JPEG "
    "(on an iPhone: Settings, Camera, Formats, Most Compatible)"
)


_ALL_COLOURS = (cv2.IMREAD_COLOR, cv2.IMREAD_UNCHANGED)


class NotAPicture(ValueError):
    """The bytes cannot be decoded; the message says why, or what to send."""


def decode_opaque(data: bytes) -> np.ndarray:
    """(H, W, 3) BGR uint8; what is transparent is laid over white. Raises NotAPicture."""
    metadata = read_metadata(data)
    if not metadata.transparent and metadata.format not in ("HEIC", "AVIF"):
        return _finished(_opencv(data, cv2.IMREAD_COLOR, metadata), metadata)
    picture = decode_with_alpha(data, metadata)
    return picture if picture.shape[2] == 3 else _over(picture, 255)


def is_srgb_jpeg(data: bytes) -> bool:
    """Whether it is a JPEG that every viewer shows as its numbers are: upright and in sRGB.

    Browsers' canvases write sRGB's profile into their JPEGs.
    """
    metadata = read_metadata(data)
    if metadata.format != "JPEG" or metadata.mode == "CMYK" or metadata.orientation != 1:
        return False
    return metadata.profile is None or transform_to_srgb(metadata.profile, metadata.mode) is None


def decode_small(data: bytes) -> np.ndarray:
    """`decode_opaque`, at an eighth of the size where that saves decoding the rest. Raises NotAPicture."""
    metadata = read_metadata(data)
    return _opencv(data, cv2.IMREAD_REDUCED_COLOR_8, metadata) if metadata.plain else decode_opaque(data)


def decode_with_alpha(data: bytes, metadata: Metadata | None = None) -> np.ndarray:
    """(H, W, 4) BGRA uint8, not premultiplied; (H, W, 3) BGR for a file without transparency.

    Raises NotAPicture.
    """
    metadata = metadata or read_metadata(data)
    if metadata.format in ("HEIC", "AVIF"):
        return _boxed(data, metadata.format)
    picture = _eight_bits(_opencv(data, cv2.IMREAD_UNCHANGED, metadata))
    if picture.ndim == 2 and metadata.transparent:  # grey with one transparent level: OpenCV leaves it out
        picture = _from_pillow(_pillow(data, "PNG"))
    elif picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    if picture.shape[2] not in (3, 4):
        raise NotAPicture(f"it has {picture.shape[2]} channels")
    return _finished(picture, metadata)


def decode_grey(data: bytes) -> np.ndarray:
    """(H, W) uint8; what is transparent is black. Raises NotAPicture."""
    metadata = read_metadata(data)
    if metadata.plain:
        return _opencv(data, cv2.IMREAD_GRAYSCALE, metadata)
    picture = decode_with_alpha(data, metadata)
    return cv2.cvtColor(picture if picture.shape[2] == 3 else _over(picture, 0), cv2.COLOR_BGR2GRAY)


def _opencv(data: bytes, flags: int, metadata: Metadata) -> np.ndarray:
    if metadata.mode == "CMYK" and metadata.profile and transform_to_srgb(metadata.profile, "CMYK"):
        return _from_pillow(_pillow(data, "JPEG"), metadata.profile)
    if metadata.format == "JPEG" and metadata.mode == "RGB" and flags in _ALL_COLOURS:
        with suppress(ValueError):
            return simplejpeg.decode_jpeg(data, "BGR")
    try:
        # The orientation is applied here: OpenCV reads it in some formats and for some flags only.
        flags = flags if flags == cv2.IMREAD_UNCHANGED else flags | cv2.IMREAD_IGNORE_ORIENTATION
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise
        picture = None
    if picture is None:
        raise NotAPicture(f"send {FORMATS}")
    return picture


def _finished(picture: np.ndarray, metadata: Metadata) -> np.ndarray:
    if metadata.profile and metadata.mode != "CMYK":
        convert_to_srgb(picture, metadata.profile, metadata.mode)
    return upright(picture, metadata.orientation)


def _eight_bits(picture: np.ndarray) -> np.ndarray:
    if picture.dtype == np.uint16:
        return np.right_shift(picture, 8, out=np.empty(picture.shape, np.uint8), casting="unsafe")
    if picture.dtype != np.uint8:
        raise NotAPicture(f"it is not a picture of 8 or 16 bits; send {FORMATS}")
    return picture


def _over(picture: np.ndarray, background: int) -> np.ndarray:
    """(H, W, 4) BGRA over a grey level: (H, W, 3)."""
    opaque = np.empty((*picture.shape[:2], 3), np.uint8)
    for rows in strips_of(picture):
        strip = picture[rows]
        opaque[rows] = strip[:, :, :3]
        alpha = cv2.extractChannel(strip, 3)
        if alpha.min() < 255:
            premultiplied = cv2.cvtColor(strip, cv2.COLOR_RGBA2mRGBA)  # BGR order is kept
            behind = cv2.convertScaleAbs(255 - alpha, alpha=background / 255)
            opaque[rows] = cv2.add(
                cv2.cvtColor(premultiplied, cv2.COLOR_BGRA2BGR), cv2.cvtColor(behind, cv2.COLOR_GRAY2BGR)
            )
    return opaque


def _boxed(data: bytes, name: str) -> np.ndarray:
    """HEIC or AVIF, whose decoders know orientation and profile from the boxes."""
    if name == "HEIC" and not _can_read_heic():
        raise NotAPicture(NO_HEIC)
    try:
        data, points = without_metadata(data), read_colour_points(data)
    except InvalidBoxes as error:
        raise NotAPicture(str(error)) from error
    image = _pillow(data, "HEIF" if name == "HEIC" else name)
    metadata = Metadata(
        name,
        profile=image.info.get("icc_profile") or (cicp_profile(*points) if points else None),
        mode="L" if image.mode in ("L", "LA") else "RGB",
        orientation=Image.Exif.get(image.getexif(), 0x0112, 1),
    )
    image.__dict__.pop("_decoder", None)  # AVIF's, which keeps the picture in its own colours
    return _finished(_from_pillow(image), metadata)


def _pillow(data: bytes, name: str) -> Image.Image:
    """A loaded picture; no other format than `name` is tried."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of large sizes, which are limited elsewhere, and of odd metadata
            image = Image.open(io.BytesIO(data), formats=[name])
            image.load()
            return image
    except MemoryError:
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ValueError and more
        raise NotAPicture(str(error)) from error


def _from_pillow(image: Image.Image, cmyk_profile: bytes | None = None) -> np.ndarray:
    """(H, W, 3) BGR or (H, W, 4) BGRA, by strips of rows."""
    transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    width, height = image.size
    picture = np.empty((height, width, 4 if transparent else 3), np.uint8)
    transform = transform_to_srgb(cmyk_profile, "CMYK") if cmyk_profile else None
    for rows in strips_of(picture):
        strip = image.crop((0, rows.start, width, min(rows.stop, height)))
        if transform:
            strip = ImageCms.applyTransform(strip, transform) or strip
        strip = strip.convert("RGBA" if transparent else "RGB")
        code = cv2.COLOR_RGBA2BGRA if transparent else cv2.COLOR_RGB2BGR
        picture[rows] = cv2.cvtColor(np.asarray(strip), code)
    return picture


@cache
def _can_read_heic() -> bool:
    """Whether pillow-heif is installed; it is told to read one picture of a file and nothing beside it."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=2)
    return True
