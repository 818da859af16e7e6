"""Reads a film's frames with FFmpeg. Runs in the worker process.

The proxy imports this module, too, and needs none of FFmpeg's libraries, so functions import them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frontend_proxy.errors import ImageTooLarge, UndecodableImage

FORMATS = "MP4, MOV, WebM, Matroska or AVI"
PICTURES_A_SECOND = 120  # of the longest film; in the bytes that are allowed are millions of tiny pictures
# FFmpeg's readers by a file's first bytes. It is never left to guess: playlists name other files.
_READERS = (
    (4, b"ftyp", "mov"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (8, b"AVI ", "avi"),
)
# FFmpeg's own decoders of VP8 and VP9 leave alpha out.
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


@dataclass(frozen=True)
class Limits:
    """seconds, pixels: of one film. jobs: whose films are open at once."""

    seconds: float
    pixels: int
    jobs: int

    @property
    def pictures(self) -> int:
        return round(self.seconds * PICTURES_A_SECOND)


@dataclass(frozen=True)
class ClipInfo:
    """width, height: as it is seen. frames: as the file says, or an estimate."""

    width: int
    height: int
    seconds: float
    frames: int


class Clip:
    """A film's pictures in their order. Raises UndecodableImage and ImageTooLarge, which name it.

    name: the request's field.
    """

    def __init__(self, path: Path, name: str, limits: Limits):
        import av

        self._name, self._limits = name, limits
        with path.open("rb") as file:
            head = file.read(16)
        reader = next((it for at, mark, it in _READERS if head[at : at + len(mark)] == mark), None)
        if reader is None:
            raise UndecodableImage(f"{name} is no film that can be read: send {FORMATS}")
        try:
            self._container = av.open(str(path), format=reader, options={"protocol_whitelist": "file"})
            self._stream = self._container.streams.video[0]
        except (av.FFmpegError, IndexError, ValueError) as error:
            raise self.unreadable(error) from error
        context = self._stream.codec_context
        self._check_size(context.width, context.height)
        context.thread_count = 1  # the other cores are for those who wait
        self._decoder: Any = context
        alpha = _WITH_ALPHA.get(context.name)
        if alpha and self._stream.metadata.get("alpha_mode", self._stream.metadata.get("ALPHA_MODE")) == "1":
            self._decoder = av.CodecContext.create(alpha, "r")

    def info(self) -> ClipInfo:
        """From the header alone."""
        import av

        stream, container = self._stream, self._container
        seconds = 0.0
        if stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration:
            seconds = container.duration / av.time_base
        self._check_seconds(seconds)
        self._check_pictures(stream.frames)
        rate = float(stream.average_rate or 30)
        frames = stream.frames or round(seconds * rate)
        return ClipInfo(stream.codec_context.width, stream.codec_context.height, seconds, frames)

    def pictures(self) -> Iterator[tuple[float, np.ndarray]]:
        """(seconds from the film's first picture, (H, W, 3) BGR or (H, W, 4) BGRA uint8), upright.

        The seconds grow. A picture that is not later than the one before it is left out: browsers' recorders
        give two pictures the same time now and then.
        """
        import av

        first, last = None, -1.0
        try:
            for number, frame in enumerate(self._frames(), 1):
                self._check_pictures(number)
                if frame.time is None:
                    continue
                first = frame.time if first is None else first
                seconds = float(frame.time - first)
                if seconds <= last:
                    continue
                last = seconds
                self._check_seconds(seconds)
                self._check_size(frame.width, frame.height)
                alpha = any(component.is_alpha for component in frame.format.components)
                picture = frame.to_ndarray(format="bgra" if alpha else "bgr24")
                turns = round(getattr(frame, "rotation", 0) / 90) % 4
                yield seconds, np.ascontiguousarray(np.rot90(picture, turns) if turns else picture)
        except (av.FFmpegError, ValueError) as error:
            raise self.unreadable(error) from error

    def close(self) -> None:
        self._container.close()

    def _frames(self) -> Iterator[Any]:
        for number, packet in enumerate(self._container.demux(self._stream), 1):
            self._check_pictures(number // 2)  # VP8 and VP9 have packets without a picture, too
            end = packet.dts is None and not packet.size  # the last one, which empties the decoder
            for frame in self._decoder.decode(None if end else packet):
                if frame.time_base is None:
                    frame.time_base = self._stream.time_base
                yield frame

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self._limits.pixels or min(width, height) < 16:
            raise ImageTooLarge(
                f"{self._name} is {width}×{height}; send at most {self._limits.pixels / 1e6:.1f} megapixels "
                "and at least 16 pixels a side"
            )

    def _check_seconds(self, seconds: float) -> None:
        if seconds > self._limits.seconds:
            raise ImageTooLarge(
                f"{self._name} is longer than {self._limits.seconds:g} s, the most that is allowed"
            )

    def _check_pictures(self, count: int) -> None:
        if count > self._limits.pictures:
            raise ImageTooLarge(
                f"{self._name} has more than {self._limits.pictures} pictures, the most that is allowed; "
                "send fewer a second"
            )

    def unreadable(self, error: object) -> UndecodableImage:
        return UndecodableImage(f"{self._name} is no film that can be read ({error}): send {FORMATS}")
