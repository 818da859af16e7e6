"""The plain composite: what a keyframe gets when the model cannot answer. Runs in the worker process."""

import cv2
import numpy as np

JPEG_QUALITY = 85


def composite(camera_frame: bytes, jacket_render: bytes | None) -> bytes:
    """The render stretched onto the frame by its own alpha, as a JPEG of the frame's size.

    An opaque or missing render has no alpha to draw by, so the frame itself is the answer.
    Raises ValueError if the frame cannot be decoded; a render that cannot be is a missing one.
    """
    frame = _decode(camera_frame, cv2.IMREAD_COLOR)  # (H, W, 3)
    if frame is None:
        raise ValueError("camera_frame cannot be decoded")
    render = _decode(jacket_render, cv2.IMREAD_UNCHANGED) if jacket_render else None
    if render is not None and render.ndim == 3 and render.shape[2] == 4 and render.dtype == np.uint8:
        frame = _over(frame, render)
    encoded, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not encoded:
        raise ValueError("the composite cannot be encoded")
    return jpeg.tobytes()


def _over(frame: np.ndarray, render: np.ndarray) -> np.ndarray:
    """Porter and Duff's *over*, with the alpha premultiplied before the resize so that edges stay clean."""
    alpha = render[:, :, 3:].astype(np.float32) / 255
    premultiplied = np.concatenate([render[:, :, :3] * alpha, alpha], axis=2)
    height, width = frame.shape[:2]
    shrinks = render.shape[0] > height or render.shape[1] > width
    drawn = cv2.resize(
        premultiplied, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return np.rint(drawn[:, :, :3] + frame * (1 - drawn[:, :, 3:])).clip(0, 255).astype(np.uint8)


def _decode(data: bytes, flags: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
