"""Bytes of a photo to upright sRGB pixels."""

import io
import warnings

import numpy as np
from PIL import Image, ImageCms, ImageOps

from fabric.errors import FabricError

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP")
MAX_PIXELS = 40_000_000
MIN_SIDE = 64
MAX_ASPECT = 20  # longer by shorter side; beyond it there is no square of cloth worth the name

_SRGB = ImageCms.createProfile("sRGB")


def decode(photo: bytes, side: int) -> np.ndarray:
    """The photo upright, in sRGB, without transparency: (H, W, 3) uint8 RGB.

    A JPEG is decoded at the smallest of 1/1, 1/2, 1/4 or 1/8 of its size (scaled DCT, as libjpeg
    offers) that keeps its shorter side at or above `side` pixels; other formats come whole.

    Raises FabricError: IMAGE_DECODE for what is no image or is broken, TOO_LARGE above `MAX_PIXELS`
    (by the header, before any pixel is decoded), INVALID_INPUT below `MIN_SIDE` pixels or above
    `MAX_ASPECT`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes that are checked here, and of odd EXIF
            image = Image.open(io.BytesIO(photo), formats=FORMATS)
            _check_size(*image.size)
            shrink = min(image.size) / side
            if image.format == "JPEG" and shrink >= 2:
                image.draft("RGB", (int(image.width / shrink), int(image.height / shrink)))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return np.asarray(_srgb(image))
    except FabricError:
        raise
    except Image.UnidentifiedImageError as error:
        raise FabricError("IMAGE_DECODE", f"the photo is none of {', '.join(FORMATS)}") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ValueError and more
        raise FabricError("IMAGE_DECODE", f"the photo cannot be decoded: {error}") from error


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise FabricError(
            "TOO_LARGE",
            f"the photo has {width * height / 1e6:.0f} megapixels; send at most {MAX_PIXELS // 1_000_000}",
        )
    if min(width, height) < MIN_SIDE:
        raise FabricError(
            "INVALID_INPUT", f"the photo is {width}×{height} pixels; send at least {MIN_SIDE} on each side"
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise FabricError(
            "INVALID_INPUT", f"the photo is {width}×{height} pixels; send one that is less of a strip"
        )


def _srgb(image: Image.Image) -> Image.Image:
    """`image` as opaque sRGB; phones write Display P3, whose numbers look dull when taken for sRGB."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):  # Pillow would clip it at 255 instead of scaling it
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    if profile and image.mode in ("RGB", "L", "CMYK"):
        try:
            return ImageCms.profileToProfile(  # type: ignore[return-value]
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), _SRGB, outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile or one of another colour space: the pixels are still a photo
    return image if image.mode == "RGB" else image.convert("RGB")
