"""What a compressed picture's header says about its colours, its transparency and its orientation.

Read in bounded time, some microseconds for usual files; no pixel is decoded. Metadata never make a picture
unusable: where they are broken, they say nothing.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.pictures.boxes import boxes_format
from pipeline.pictures.colour import cicp_profile, gamma_profile
from pipeline.pictures.orientation import find_orientation

MAX_PROFILE_BYTES = 2**21  # printers' largest profiles have about 2 MB, phones' some hundred bytes
MAX_STEPS = 4096  # segments or chunks that are looked at
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Metadata:
    """format: one of JPEG, PNG, WEBP, HEIC and AVIF, or None.

    profile: an ICC profile, of at most `MAX_PROFILE_BYTES`. mode: Pillow's name of the colours that the
    numbers mean: RGB, L or CMYK. transparent: the file may hold transparency. orientation: EXIF's, 1 to 8.
    """

    format: str | None = None
    profile: bytes | None = None
    mode: str = "RGB"
    transparent: bool = False
    orientation: int = 1

    @property
    def plain(self) -> bool:
        """The numbers in the file are the picture as it is seen, so OpenCV alone decodes it."""
        boxes = self.format in ("HEIC", "AVIF")
        return not (boxes or self.profile or self.transparent or self.orientation != 1)


def read_metadata(data: bytes) -> Metadata:
    """Never raises: a decoder that fails afterwards says what is wrong with the file."""
    if name := boxes_format(data):
        return Metadata(name)  # Pillow's decoders tell the rest
    for recognizes, read in _READERS:
        if recognizes(data):
            return read(data)
    return Metadata()


def _jpeg(data: bytes) -> Metadata:
    """The segments before the first scan (ITU T.81, annex B)."""
    exif, parts, mode = b"", dict[int, bytes](), "RGB"
    for marker, body in _jpeg_segments(data):
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            parts.setdefault(body[12], body[14:])  # by its number: parts may come in any order
        elif marker in _JPEG_FRAMES and len(body) > 5:
            mode = {1: "L", 4: "CMYK"}.get(body[5], "RGB")
    profile = b"".join(parts[number] for number in sorted(parts))
    return Metadata("JPEG", _bounded(profile), mode, orientation=find_orientation(exif))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    for _ in range(MAX_STEPS):
        if at + 4 > len(data) or data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            at += 2
        elif marker == 0xDA:  # the pixels
            return
        else:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            yield marker, data[at + 4 : end]
            at = end


def _png(data: bytes) -> Metadata:
    """The chunks around the pixels (PNG specification, third edition); EXIF may also come after them."""
    chunks: dict[bytes, bytes] = {}
    at = len(_PNG_SIGNATURE)
    for _ in range(MAX_STEPS):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind in _PNG_CHUNKS:
            chunks.setdefault(kind, data[at + 8 : at + 8 + length])
        if kind in (b"", b"IEND"):
            break
        at += 12 + length
    colour_type = chunks.get(b"IHDR", b"")[9:10]
    return Metadata(
        "PNG",
        _png_profile(chunks),
        mode="L" if colour_type in (b"\0", b"\4") else "RGB",
        transparent=colour_type in (b"\4", b"\6") or b"tRNS" in chunks,
        orientation=find_orientation(chunks.get(b"eXIf", b"")),
    )


_PNG_CHUNKS = {b"IHDR", b"tRNS", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf"}


def _png_profile(chunks: dict[bytes, bytes]) -> bytes | None:
    """The first of four ways to say what the colours are; their order is the specification's (4.3)."""
    if len(cicp := chunks.get(b"cICP", b"")) == 4 and (profile := cicp_profile(cicp[0], cicp[1])):
        return profile
    if b"iCCP" in chunks:
        try:
            compressed = chunks[b"iCCP"].partition(b"\0")[2][1:]
            if profile := _bounded(zlib.decompressobj().decompress(compressed, MAX_PROFILE_BYTES + 1)):
                return profile
        except zlib.error:
            pass
    if b"sRGB" in chunks or len(chunks.get(b"gAMA", b"")) != 4:
        return None
    (gamma,) = struct.unpack(">I", chunks[b"gAMA"])
    places = chunks.get(b"cHRM", b"")
    return gamma_profile(gamma / 1e5, [it / 1e5 for it in struct.unpack(">8I", places)]
                         if len(places) == 32 else None)  # fmt: skip


def _webp(data: bytes) -> Metadata:
    """RIFF chunks (RFC 9649)."""
    if data[12:16] == b"VP8L":  # lossless, without other chunks; a bit says whether alpha is used
        return Metadata("WEBP", transparent=len(data) > 24 and bool(data[24] & 0x10))
    if data[12:16] != b"VP8X" or len(data) < 30:
        return Metadata("WEBP")
    exif, profile = b"", b""
    at = 12
    for _ in range(MAX_STEPS):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind == b"EXIF":
            exif = exif or data[at + 8 : at + 8 + length]
        elif kind == b"ICCP":
            profile = profile or data[at + 8 : at + 8 + length]
        elif not kind:
            break
        at += 8 + length + length % 2
    return Metadata(
        "WEBP", _bounded(profile), transparent=bool(data[20] & 0x10), orientation=find_orientation(exif)
    )


def _bounded(profile: bytes) -> bytes | None:
    return profile if 0 < len(profile) <= MAX_PROFILE_BYTES else None


_READERS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Metadata]], ...] = (
    (lambda data: data.startswith(b"\xff\xd8\xff"), _jpeg),
    (lambda data: data.startswith(_PNG_SIGNATURE), _png),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
)
