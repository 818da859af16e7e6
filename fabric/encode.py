"""Encodes maps as JPEG or PNG."""

from typing import Literal, NamedTuple

import cv2
import numpy as np

Format = Literal["jpeg", "png"]

# No chroma subsampling (4:4:4): JPEG treats a normal's x and y, and occlusion and roughness, as colours, and
# half the resolution would double their error. The mean error of denim's normals is 2.3° at quality 92
# (0.8 MB), 5.1° with 4:2:0, and 1.4° at quality 96 (1.1 MB). PNG needs 2.1 MB.
QUALITY = {"diffuse": 95, "normal": 94, "thumbnail": 85}
_DEFAULT_QUALITY = 80
# JPEG at quality 95 has steps of about half a level between its blocks. A tile's border is such a step: it
# showed on dark and on faint cloth, whose own steps between pixels are no larger.
_FINEST_QUALITY = 99
_FAINT, _CLEAR = 0.5, 1.2  # mean steps between pixels, of 255
_PNG_LEVEL = 2


class EncodedImage(NamedTuple):
    """Compressed bytes and their media type."""

    data: bytes
    media_type: str


def encode(role: str, pixels: np.ndarray, file_format: Format) -> EncodedImage:
    """A file of uint8 RGB (H, W, 3) or grey (H, W). `role` selects the quality of a JPEG."""
    bgr = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    if file_format == "png":
        settings = [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
        return EncodedImage(cv2.imencode(".png", bgr, settings)[1].tobytes(), "image/png")
    quality = QUALITY.get(role, _DEFAULT_QUALITY)
    if role == "diffuse":
        quality = round(float(np.interp(_step(pixels), [_FAINT, _CLEAR], [_FINEST_QUALITY, quality])))
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return EncodedImage(cv2.imencode(".jpg", bgr, settings)[1].tobytes(), "image/jpeg")


def _step(pixels: np.ndarray) -> float:
    """The mean difference of neighbouring pixels, along the axis where it is smaller."""
    pairs = (pixels[1:], pixels[:-1]), (pixels[:, 1:], pixels[:, :-1])
    return min(cv2.norm(one, other, cv2.NORM_L1) / one.size for one, other in pairs)


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Values from 0 to 1 as uint8."""
    return cv2.convertScaleAbs(values, alpha=255)


def unit(values: np.ndarray) -> np.ndarray:
    """`values` scaled to 0 (lowest) to 1 (highest); 0.5 everywhere if they are all the same."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.full_like(values, 0.5)
