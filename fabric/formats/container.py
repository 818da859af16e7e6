"""What every photo format is reduced to, and the parts that several formats share."""

import re
from dataclasses import dataclass
from typing import Literal

from fabric.errors import FabricError

MAX_PROFILE_BYTES = 2**21  # of an ICC profile; printers' largest have about 2 MB, phones' some hundred bytes
MAX_XMP_BYTES = 2**16  # in which the orientation is looked for
_MAX_EXIF_ENTRIES = 512
_ORIENTATION, _EXIF_DIRECTORY, _FOCAL_35 = 0x0112, 0x8769, 0xA405
_EXPOSURE_TIME, _F_NUMBER, _ISO = 0x829A, 0x829D, 0x8827
_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation(?:=["']|>)([1-8])""")


@dataclass(frozen=True)
class Container:
    """A photo without metadata.

    data: a file of the format with nothing but what its pixels need. size: (width, height), where Pillow
    would have to allocate memory to tell it. orientation: EXIF's, 1 (upright) to 8. scans: how often a
    JPEG passes over its pixels; more than one means that all of its coefficients stay in memory. memory:
    bytes that an AVIF's decoder needs for each pixel; 0 where the format needs no limit of its own.
    focal_35: EXIF's focal length in mm as on 35 mm film; None if the file does not tell it. exposure: EXIF's
    seconds × ISO / f-number², None if the file does not tell them.
    """

    format: str
    data: bytes
    profile: bytes | None = None
    orientation: int = 1
    size: tuple[int, int] | None = None
    scans: int = 1
    memory: float = 0
    focal_35: float | None = None
    exposure: float | None = None


def damaged(what: str) -> FabricError:
    return FabricError("IMAGE_DECODE", f"the photo cannot be decoded: {what}")


def find_orientation(exif: bytes, xmp: bytes = b"") -> int:
    """EXIF's orientation, else that of XMP, else 1 (upright)."""
    tiff, order = _tiff(exif)
    value = _entry(tiff, order, int.from_bytes(tiff[4:8], order), _ORIENTATION)
    if value is not None:
        return value if 1 <= value <= 8 else 1
    found = _XMP_ORIENTATION.search(xmp[:MAX_XMP_BYTES])
    return int(found[1]) if found else 1


def find_focal_length(exif: bytes) -> float | None:
    """EXIF's FocalLengthIn35mmFilm in mm; None if it is missing or no camera has it."""
    tiff, order = _tiff(exif)
    directory = _entry(tiff, order, int.from_bytes(tiff[4:8], order), _EXIF_DIRECTORY)
    value = None if directory is None else _entry(tiff, order, directory, _FOCAL_35)
    return float(value) if value is not None and 8 <= value <= 1200 else None


def find_exposure(exif: bytes) -> float | None:
    """EXIF's exposure: seconds × ISO / f-number²; a phone's lens may have one f-number and not name it."""
    tiff, order = _tiff(exif)
    directory = _entry(tiff, order, int.from_bytes(tiff[4:8], order), _EXIF_DIRECTORY)
    if directory is None:
        return None
    seconds = _fraction(tiff, order, _entry(tiff, order, directory, _EXPOSURE_TIME))
    number = _fraction(tiff, order, _entry(tiff, order, directory, _F_NUMBER)) or 1.0
    iso = _entry(tiff, order, directory, _ISO)
    if not seconds or not iso or not 1e-6 < seconds < 1e3 or not 0.1 < number < 100:
        return None  # no camera has these: it is written in another way
    return seconds * iso / number**2


def _fraction(tiff: bytes, order: Literal["little", "big"], at: int | None) -> float | None:
    """The rational number at an offset; None where there is none."""
    if at is None or at + 8 > len(tiff):
        return None
    above, below = (int.from_bytes(tiff[start : start + 4], order) for start in (at, at + 4))
    return above / below if above and below else None


def _tiff(exif: bytes) -> tuple[bytes, Literal["little", "big"]]:
    """The directories of EXIF and their byte order; empty if they are none."""
    tiff = exif.removeprefix(b"Exif\0\0")
    return (tiff if tiff[:2] in (b"II", b"MM") else b""), "little" if tiff[:2] == b"II" else "big"


def _entry(tiff: bytes, order: Literal["little", "big"], directory: int, tag: int) -> int | None:
    """A whole number of a directory. Reads at most `_MAX_EXIF_ENTRIES` entries, and no data they point at."""
    count = int.from_bytes(tiff[directory : directory + 2], order)
    for number in range(min(count, _MAX_EXIF_ENTRIES)):
        at = directory + 2 + 12 * number
        entry = tiff[at : at + 12]
        if int.from_bytes(entry[:2], order) == tag:
            width = 4 if int.from_bytes(entry[2:4], order) in (4, 5) else 2  # a number, or where one lies
            return int.from_bytes(entry[8 : 8 + width], order)
    return None
