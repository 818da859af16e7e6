"""Where the render's canvas lies on the camera frame.

The client captures a canvas whose size and aspect are not the frame's. A transparent canvas is laid
over the frame as the landmarks are: stretched. An opaque one shows the video plane itself behind the
jacket, and the frame is found again in it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from pictures import largest_channel, shrink

# Long side, in pixels, at which fits are compared: fine enough for a person, blind to noise.
_COMPARE_AT = 160
# Grey levels within which a pixel of the render counts as the frame's own.
_ALIKE = 16
# Below this share of alike pixels the canvas does not show this camera's video.
_LEAST_ALIKE = 0.25


@dataclass(frozen=True)
class Registration:
    """fit: how the canvas was laid on the frame.
    matrix: (2, 3), from pixels of the canvas to pixels of the frame."""

    fit: str
    matrix: np.ndarray

    def warp(self, canvas: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """`canvas` as it lies on a frame of `size` (width, height); 0 beside it."""
        if np.allclose(self.matrix, stretch(canvas.shape[1::-1], size).matrix, atol=1e-6):
            return cv2.resize(canvas, size, interpolation=cv2.INTER_LINEAR)  # the same in a third of the time
        return cv2.warpAffine(canvas, self.matrix, size, flags=cv2.INTER_LINEAR)

    def between(
        self, canvas: np.ndarray, small_canvas: np.ndarray, frame: np.ndarray, small_frame: np.ndarray
    ) -> "Registration":
        """The same fit between a smaller copy of the canvas and one of the frame."""
        up = _square(_between(_rectangle(small_canvas), _rectangle(canvas)))
        down = _square(_between(_rectangle(frame), _rectangle(small_frame)))
        return Registration(self.fit, (down @ _square(self.matrix) @ up)[:2])


def stretch(canvas: tuple[int, int], frame: tuple[int, int]) -> Registration:
    """The whole canvas on the whole frame; sizes are (width, height)."""
    return Registration("stretch", _between((0, 0, *canvas), (0, 0, *frame)))


def find_video(render: np.ndarray, frame: np.ndarray) -> Registration | None:
    """The fit under which an opaque render, (h, w, 3), shows `frame`, (H, W, 3); None if it does not.

    Tried are the canvas stretched over the frame, contained in it, covering it, and the part of the
    canvas that is not black (a video plane drawn smaller than the canvas).
    """
    canvas_size, frame_size = render.shape[1::-1], frame.shape[1::-1]
    candidates = [stretch(canvas_size, frame_size), *_same_aspect(canvas_size, frame_size)]
    plane = _not_black(render)
    if plane is not None:
        candidates.append(Registration("plane", _between(plane, (0, 0, *frame_size))))
    small_render, small_frame = shrink(render, 2 * _COMPARE_AT), shrink(frame, _COMPARE_AT)
    scores = [_alike(candidate, render, frame, small_render, small_frame) for candidate in candidates]
    best = int(np.argmax(scores))
    return candidates[best] if scores[best] >= _LEAST_ALIKE else None


def _between(source: tuple[float, ...], target: tuple[float, ...]) -> np.ndarray:
    """The matrix that lays rectangle `source` on `target`, each (x, y, width, height); pixel centres."""
    sx, sy = target[2] / source[2], target[3] / source[3]
    return np.array(
        [
            [sx, 0, target[0] - sx * source[0] + (sx - 1) / 2],
            [0, sy, target[1] - sy * source[1] + (sy - 1) / 2],
        ]
    )


def _same_aspect(canvas: tuple[int, int], frame: tuple[int, int]) -> list[Registration]:
    fits = []
    ratios = (frame[0] / canvas[0], frame[1] / canvas[1])
    for fit, scale in (("contain", min(ratios)), ("cover", max(ratios))):
        width, height = canvas[0] * scale, canvas[1] * scale
        target = ((frame[0] - width) / 2, (frame[1] - height) / 2, width, height)
        fits.append(Registration(fit, _between((0, 0, *canvas), target)))
    return fits


def _not_black(render: np.ndarray) -> tuple[int, int, int, int] | None:
    bright = (largest_channel(render) > 12).view(np.uint8)
    x, y, width, height = cv2.boundingRect(bright)
    return (x, y, width, height) if width else None


def _alike(
    registration: Registration,
    render: np.ndarray,
    frame: np.ndarray,
    small_render: np.ndarray,
    small_frame: np.ndarray,
) -> float:
    """The share of the frame's pixels, at a coarse scale, that the laid-on render shows unchanged."""
    small = registration.between(render, small_render, frame, small_frame)
    laid = small.warp(small_render, small_frame.shape[1::-1])
    return float((largest_channel(cv2.absdiff(laid, small_frame)) <= _ALIKE).mean())


def _rectangle(picture: np.ndarray) -> tuple[int, int, int, int]:
    return (0, 0, picture.shape[1], picture.shape[0])


def _square(matrix: np.ndarray) -> np.ndarray:
    return np.vstack([matrix, (0, 0, 1)])
