"""Reads untrusted photo files: everything that the pixels do not need is removed before decoding.

Decoders read metadata eagerly, and a file of some kilobytes can make them allocate gigabytes for it: text
that decompresses, tag tables whose entries all point at the same bytes, tiles larger than the picture.
"""

from collections.abc import Callable

from fabric.errors import FabricError
from fabric.formats.avif import read_avif
from fabric.formats.container import Container, damaged, find_orientation
from fabric.formats.heic import BRANDS, read_heic
from fabric.formats.jpeg import read_jpeg
from fabric.formats.png import SIGNATURE, read_png
from fabric.formats.tiff import read_tiff
from fabric.formats.webp import read_webp

FORMATS = ("JPEG", "PNG", "WEBP", "HEIC", "AVIF", "TIFF", "BMP")

__all__ = ["FORMATS", "Container", "damaged", "find_orientation", "read_container"]


def read_container(photo: bytes) -> Container:
    """The photo's format and orientation, its colour profile, and a file of its pixels alone.

    Raises FabricError IMAGE_DECODE for other formats and for damaged files.
    """
    return _reader(photo)(photo)


def _reader(photo: bytes) -> Callable[[bytes], Container]:
    if photo.startswith(b"\xff\xd8\xff"):
        return read_jpeg
    if photo.startswith(SIGNATURE):
        return read_png
    if photo[:4] == b"RIFF" and photo[8:12] == b"WEBP":
        return read_webp
    if photo[4:8] == b"ftyp":
        brands = _brands(photo)
        if brands & {b"avif", b"avis"}:
            return read_avif
        if brands & {*BRANDS, b"mif1", b"msf1"}:
            return read_heic
    if photo[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return read_tiff
    if photo.startswith(b"BM"):
        return _read_bmp
    raise FabricError("IMAGE_DECODE", f"the photo is none of {', '.join(FORMATS)}")


def _brands(photo: bytes) -> set[bytes]:
    """The kinds of picture that an ISO file says it is: the first may be that of a whole family."""
    end = min(int.from_bytes(photo[:4], "big"), 256)
    return {photo[8:12], *(photo[at : at + 4] for at in range(16, end, 4))}


def _read_bmp(photo: bytes) -> Container:
    """A bitmap holds no metadata worth removing. Run-length coding costs seconds of Python per file."""
    if len(photo) < 34 or int.from_bytes(photo[30:34], "little") in (1, 2):
        raise FabricError("IMAGE_DECODE", "the photo is a compressed BMP; save it as JPEG or PNG")
    return Container("BMP", photo)
