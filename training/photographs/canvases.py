"""Opaque canvases: the jacket drawn over a picture of the video, as the newer frontend sends it."""

import cv2
import numpy as np

from training.photographs.camera import encode_jpeg

KINDS = ("video", "black", "scaled")


def draw_canvas(
    frame: np.ndarray, render: np.ndarray, rng: np.random.Generator, kind: str | None = None
) -> np.ndarray:
    """The render (h, w, 4) over the frame as the video plane shows it a moment later: (h, w, 3) uint8.

    The moment: a small motion, a change of exposure, another compression. kind: `video`, `black` (no video),
    or `scaled` (the video at about 0.8 of the canvas, on black); None for a random one, mostly `video`.
    """
    kind = kind or str(rng.choice(KINDS, p=(0.75, 0.1, 0.15)))
    height, width = frame.shape[:2]
    below = np.zeros_like(frame)
    if kind != "black":
        below = _later(frame, rng)
    if kind == "scaled":
        scale = rng.uniform(0.75, 0.85)
        matrix = np.array(
            [[scale, 0, (1 - scale) * width / 2], [0, scale, (1 - scale) * height / 2]], np.float32
        )
        below = cv2.warpAffine(below, matrix, (width, height), flags=cv2.INTER_AREA)
    share = render[..., 3:].astype(np.float32) / 255
    return np.rint(below + share * (render[..., :3].astype(np.float32) - below)).astype(np.uint8)


def _later(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = frame.shape[:2]
    later = frame
    if rng.random() < 0.7:
        reach = rng.choice([0.002, 0.006, 0.015])
        matrix = cv2.getRotationMatrix2D(
            (width / 2, height), rng.normal(0, 100 * reach), 1 + rng.normal(0, reach)
        )
        matrix[:, 2] += rng.normal(0, reach, 2) * width
        moved = cv2.warpAffine(later, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        later = cv2.addWeighted(moved, 1.0, later, 0.0, 0)
    gain, offset = 1 + rng.normal(0, 0.02), rng.normal(0, 1.5)
    later = np.clip(later * gain + offset + rng.normal(0, rng.uniform(0, 2), frame.shape), 0, 255).astype(
        np.uint8
    )
    if rng.random() < 0.5:
        small = cv2.resize(later, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        later = (
            cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
            if rng.random() < 0.3
            else later
        )
    return encode_jpeg(later, int(rng.integers(60, 98)))
