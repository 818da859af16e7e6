"""Compressed pictures of every size and kind that a client may send, for tests."""

import io

import cv2
import numpy as np
from PIL import Image


def drawing(width, height, seed=0):
    """Large random blocks on which an opaque ellipse lies; transparent around it: (H, W, 4) uint8, RGBA."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (min(height, 9), min(width, 9), 4), np.uint8)
    picture = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)
    inside = np.zeros((height, width), np.uint8)
    centre, axes = (width // 2, height // 2), (max(1, width // 3), max(1, height // 3))
    picture[:, :, 3] = cv2.ellipse(inside, centre, axes, 0, 0, 360, 255, -1)
    return picture


def _pillow(mode, kind, **options):
    def encode(picture):
        rgba, buffer = Image.fromarray(picture), io.BytesIO()
        image = rgba.convert("RGB").quantize(16) if mode == "P" else rgba.convert(mode)
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return encode


def _sixteen_bits(channels):
    def encode(picture):
        chosen = picture[:, :, 0] if channels == 1 else picture[:, :, :channels]
        return cv2.imencode(".png", chosen.astype(np.uint16) * 257)[1].tobytes()

    return encode


_ENCODERS = {
    "JPEG": _pillow("RGB", "JPEG"),
    "gray JPEG": _pillow("L", "JPEG"),
    "CMYK JPEG": _pillow("CMYK", "JPEG"),
    "WebP": _pillow("RGB", "WEBP"),
    "WebP with alpha": _pillow("RGBA", "WEBP"),
    "RGB PNG": _pillow("RGB", "PNG"),
    "RGBA PNG": _pillow("RGBA", "PNG"),
    "gray PNG": _pillow("L", "PNG"),
    "gray and alpha PNG": _pillow("LA", "PNG"),
    "1-bit PNG": _pillow("1", "PNG"),
    "palette PNG": _pillow("P", "PNG"),
    "palette PNG with a transparent colour": _pillow("P", "PNG", transparency=0),
    "16-bit gray PNG": _sixteen_bits(1),
    "16-bit RGB PNG": _sixteen_bits(3),
    "16-bit RGBA PNG": _sixteen_bits(4),
}
KINDS = list(_ENCODERS)


def encoded(width, height, kind, seed=0):
    """A compressed `drawing`. kind: one of KINDS."""
    return _ENCODERS[kind](drawing(width, height, seed))
