"""Small films for tests: a person's frame and a rendered layer that move."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

RATE = 10


def write(path: Path, pictures, codec="libx264", pix_fmt="yuv420p", rate=RATE, options=None):
    """pictures: (H, W, 3) BGR or (H, W, 4) BGRA uint8."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        height, width = pictures[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for number, picture in enumerate(pictures):
            if picture.shape[2] == 4:
                frame = av.VideoFrame.from_ndarray(picture, format="bgra")
            else:
                frame = av.VideoFrame.from_ndarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_at(path, times):
    """A WebM of one grey picture at these times in seconds, in any order."""
    clock = Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.full((24, 16), 128, np.uint8), "yuv420p")
        data = bytes((stream.encode(frame) + stream.encode(None))[0])
        for number, seconds in enumerate(times):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, clock
            packet.pts, packet.dts = round(seconds * 1000), number
            container.mux(packet)
    return path


def with_alpha(path, pictures, rate=RATE):
    """A WebM of VP9 with alpha, as browsers record canvases."""
    return write(path, pictures, "libvpx-vp9", "yuva420p", rate, {"deadline": "realtime", "cpu-used": "8"})


def read(path):
    """The film's pictures, BGR."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def frames(count, size=(96, 64)):
    """A grey scene whose brightness grows."""
    return [np.full((size[1], size[0], 3), 60 + number, np.uint8) for number in range(count)]


def layers(count, size=(96, 64), colour=(40, 80, 160)):
    """A square that moves to the right on a transparent canvas: BGRA."""
    found = []
    for number in range(count):
        canvas = np.zeros((size[1], size[0], 4), np.uint8)
        cv2.rectangle(canvas, (20 + number, 16), (60 + number, 56), (*colour, 255), -1)
        found.append(canvas)
    return found
