"""Every kind of hostile client, with its pace."""

from functools import partial

from benchmarks.hostile import pictures
from benchmarks.hostile.clients.chunked_bodies import EndlessExtension, EndlessTrailers, ManyExtensions
from benchmarks.hostile.clients.client import HostileClient
from benchmarks.hostile.clients.multipart_forms import ManyFields, NamedCharset
from benchmarks.hostile.clients.pictures import PictureSender
from benchmarks.hostile.clients.unfinished_bodies import UnfinishedBodies
from benchmarks.hostile.clients.websocket_floods import (
    EmptyContinuations,
    OneByteFragments,
    PingFlood,
    PingsWithPayload,
    PongFlood,
    SmallMessages,
)

SCAN, KEYFRAME = ("scan",), ("keyframe",)


def all_kinds() -> list[HostileClient]:
    """New clients; each picture of many pixels comes seldom, since an honest one costs as much to decode."""
    png, jpeg = pictures.png_of_pixels, pictures.jpeg_of_pixels
    return [
        PictureSender("JPEG of fill bytes", 2.0, pictures.jpeg_of_fill_bytes),
        PictureSender("JPEG of tiny segments", 2.0, pictures.jpeg_of_tiny_segments),
        PictureSender("PNG of tiny chunks", 4.0, pictures.png_of_tiny_chunks),
        PictureSender("WebP of tiny chunks", 4.0, pictures.webp_of_tiny_chunks),
        PingFlood(),
        PingsWithPayload(),
        PongFlood(),
        EmptyContinuations(),
        OneByteFragments(),
        SmallMessages(),
        NamedCharset(),
        ManyFields(),
        EndlessTrailers(),
        EndlessExtension(),
        ManyExtensions(),
        UnfinishedBodies(),
        PictureSender("TIFF with one huge tile", 8.0, pictures.tiff_with_one_tile, SCAN),
        PictureSender("PNG, 40 MP", 10.0, partial(png, 8000, 5000), SCAN),
        PictureSender("PNG, 40 MP, 16 bits, RGBA", 10.0, partial(png, 8000, 5000, 16, 4), SCAN),
        PictureSender("JPEG, 40 MP", 10.0, partial(jpeg, 8000, 5000), SCAN),
        PictureSender("PNG, 25 MP", 10.0, partial(png, 6250, 4000), KEYFRAME),
        PictureSender("PNG, 40 MP as a keyframe", 10.0, partial(png, 8000, 5000), KEYFRAME),
        PictureSender("JPEG, 25 MP, progressive", 10.0, partial(jpeg, 6250, 4000, True), KEYFRAME),
    ]


def named(parts: list[str]) -> list[HostileClient]:
    """The kinds with one of `parts` in their names; all of them where there are none. Raises ValueError."""
    found = [
        kind for kind in all_kinds() if not parts or any(part.lower() in kind.name.lower() for part in parts)
    ]
    if not found:
        raise ValueError(
            f"no kind is like {', '.join(parts)}: {', '.join(kind.name for kind in all_kinds())}"
        )
    return found
