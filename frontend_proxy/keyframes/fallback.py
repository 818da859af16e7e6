"""The plain composite: a keyframe's answer if the model cannot give one. Runs in the worker process."""

import cv2
import numpy as np

from pipeline.pictures.colour import strips_of
from pipeline.pictures.decoding import NotAPicture, decode_opaque, decode_with_alpha, is_srgb_jpeg

JPEG_QUALITY = 85
MAX_JPEG_SIDE = 65500  # of libjpeg


def composite(camera_frame: bytes, *renders: bytes) -> bytes:
    """The renders, from the lowest to the highest, stretched onto the frame and blended by their own alphas,
    as a JPEG of the frame's size.

    A render that is opaque or cannot be decoded has no alpha and is left out. If none is left, the frame is
    the answer: its own bytes if it is an upright JPEG in sRGB.
    Keeps whole pictures in 8 bits only: a frame and a render of 25 megapixels take 270 MiB, and a render of
    16 bits 380 MiB. Raises ValueError if the frame cannot be decoded, or is too long for a JPEG.
    """
    # The first before the frame: 16 bits of both would be too much at the same time.
    render = _premultiplied(_render(renders[0])) if renders else None
    try:
        frame = decode_opaque(camera_frame)  # (H, W, 3)
    except NotAPicture as error:
        raise ValueError(f"camera_frame cannot be decoded: {error}") from error
    height, width = frame.shape[:2]
    if max(width, height) > MAX_JPEG_SIDE:
        raise ValueError(
            f"camera_frame is {width}×{height}; send at most {MAX_JPEG_SIDE} pixels a side, as JPEG can hold"
        )
    blended = False
    for data in (*renders[1:], b""):
        if render is not None:
            render = _stretched(render, width, height)  # under the same name, which frees the canvas
            _blend(frame, render)
            blended = True
        render = _premultiplied(_render(data)) if data else None
    if not blended and is_srgb_jpeg(camera_frame):
        return camera_frame
    encoded, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not encoded:
        raise ValueError("the composite cannot be encoded")
    return jpeg.tobytes()


def _premultiplied(render: np.ndarray | None) -> np.ndarray | None:
    """(H, W, 4) uint8, colours multiplied by alpha: resizing without it would draw dark edges.

    None for a render without alpha.
    """
    if render is None or render.shape[2] != 4:
        return None
    for rows in strips_of(render):
        render[rows] = cv2.cvtColor(render[rows], cv2.COLOR_RGBA2mRGBA)  # BGR order is kept
    return render


def _stretched(render: np.ndarray, width: int, height: int) -> np.ndarray:
    if render.shape[:2] == (height, width):
        return render
    shrinks = render.shape[0] > height or render.shape[1] > width
    return cv2.resize(render, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _blend(frame: np.ndarray, render: np.ndarray) -> None:
    """Porter and Duff's *over*, written into `frame`. `render` is premultiplied and has the frame's size."""
    for rows in strips_of(frame):
        strip = render[rows]
        alpha = np.ascontiguousarray(strip[:, :, 3])
        if alpha.any():
            transparency = cv2.cvtColor(255 - alpha, cv2.COLOR_GRAY2BGR)
            behind = cv2.multiply(frame[rows], transparency, scale=1 / 255)
            frame[rows] = cv2.add(behind, np.ascontiguousarray(strip[:, :, :3]))


def _render(jacket_render: bytes) -> np.ndarray | None:
    try:
        return decode_with_alpha(jacket_render)
    except NotAPicture:
        return None
