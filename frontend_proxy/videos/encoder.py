"""Encodes a film with FFmpeg: H.264 in MP4, or VP9 in WebM. Runs in the worker process.

FFmpeg's libraries are imported where they are used, as in `clip`.
"""

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from frontend_proxy.captures.storage_errors import storage_errors

_CODECS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    ".mp4": ("libx264", {"crf": "20", "preset": "veryfast"}, {"movflags": "+faststart"}),
    ".webm": ("libvpx-vp9", {"crf": "32", "b": "0", "deadline": "realtime", "cpu-used": "6"}, {}),
}
_TICKS = 90_000  # a second
_BT601, _LIMITED = 6, 1  # FFmpeg's AVCOL_SPC_SMPTE170M and AVCOL_RANGE_MPEG: what OpenCV converts to


class Encoder:
    """output: its suffix tells the format; it is there when the film is finished.

    size: (width, height) of the first picture; others are scaled to it. Odd sides lose a pixel, since the
    colours of these codecs have half the resolution.

    Methods raise InsufficientStorage.
    """

    @storage_errors()
    def __init__(self, output: Path, size: tuple[int, int]):
        import av

        codec, options, container_options = _CODECS[output.suffix]
        self._output, self._partial = output, output.with_name(output.name + ".part")
        kind = output.suffix.removeprefix(".")
        self._container = av.open(str(self._partial), "w", format=kind, options=container_options)
        self._stream = cast(Any, self._container.add_stream(codec, options=options))
        self._size = size[0] // 2 * 2, size[1] // 2 * 2
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.colorspace, self._stream.codec_context.color_range = _BT601, _LIMITED
        self._stream.codec_context.time_base = self._stream.time_base = Fraction(1, _TICKS)
        self._stream.codec_context.thread_count = 1

    @storage_errors()
    def write(self, picture: np.ndarray, seconds: float) -> None:
        """picture: (H, W, 3) BGR uint8. seconds: more than those of the last one."""
        import av

        width, height = self._size
        if picture.shape[0] // 2 * 2 != height or picture.shape[1] // 2 * 2 != width:
            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
        # FFmpeg's own conversion is 3 grey levels too dark.
        planes = cv2.cvtColor(np.ascontiguousarray(picture[:height, :width]), cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = round(seconds * _TICKS), Fraction(1, _TICKS)
        self._container.mux(self._stream.encode(frame))

    @storage_errors()
    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._partial.replace(self._output)

    def abandon(self) -> None:
        """Let go of a film that will not be finished; its folder may be deleted already."""
        import av

        with suppress(av.FFmpegError):
            self._container.close()
